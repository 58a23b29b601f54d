package unitfailure_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/azprov/azprov/internal/boundtest"
)

// FuzzRead reads a journal and properties that may be anything.
func FuzzRead(f *testing.F) {
	const show = "LoadState=loaded\nResult=exit-code\nExecMainCode=1\nExecMainStatus=3\n"
	f.Add([]byte(jsonLines(prints("panic: x", "goroutine 1 [running]:", "main.main()"))), show)
	f.Add([]byte(jsonLines([]entry{says("3", "-----BEGIN X-----\nQUJD\n-----END X-----"), unitResult("timeout"), processExit("killed", "9")})), "")
	f.Add([]byte(`{"MESSAGE":[97,98],"PRIORITY":null,"_PID":["1"],"UNIT":[[1]]}`+"\n{"), "=\nResult=\x1b[")
	f.Add([]byte(jsonLines(prints(`{"password":"x\"y","token":\"z\"} ?sig=1 <Secret>`, "Traceback (most recent call last):", "E"))), show)
	f.Fuzz(func(t *testing.T, journal []byte, show string) {
		if len(journal) > 1<<20 || len(show) > 1<<20 {
			return
		}
		boundtest.Check(t, func() {
			failure := read(t, &machine{show: show, raw: string(journal)}, nil)
			size := 0
			for _, text := range append(failure.Lines, failure.Result, failure.Signal, failure.Error, failure.Err().Reason) {
				size += len(text)
				if !utf8.ValidString(text) || strings.ContainsAny(text, "\n\r\x1b\x00") || len(text) > 512 {
					t.Errorf("%q", text)
				}
			}
			if len(failure.Lines) > 20 || size > 2<<10+3*512 {
				t.Errorf("%d lines, %d bytes", len(failure.Lines), size)
			}
		})
	})
}

// TestBounds: what is costly by design.
func TestBounds(t *testing.T) {
	x := strings.Repeat
	for name, journal := range map[string]string{
		"bytes":         `{"_PID":"4","MESSAGE":[` + x("1,", 1<<19)[:1<<20-40] + "1]}\n",
		"short entries": x(`{"_PID":"4","MESSAGE":"a"}`+"\n", 1<<15),
		"lines":         jsonLines(prints(slicesOf(60, x("a\n", 8000))...)),
		"long lines":    jsonLines(prints(slicesOf(60, x("password=", 1800))...)),
		"long words":    jsonLines(prints(slicesOf(60, "error: "+x("https://", 2000))...)),
		"armor":         jsonLines(prints(slicesOf(2000, x("A", 64)+"\n-----END X-----")...)),
		"nested":        `{"_PID":"4","MESSAGE":` + x("[", 1<<19) + "\n",
		"panics":        jsonLines(prints(slicesOf(60, x("panic: \n", 2000))...)),
	} {
		boundtest.Check(t, func() { read(t, &machine{show: failed("exit-code", "1", "1"), raw: journal}, nil) })
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func slicesOf(n int, text string) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = text
	}
	return texts
}
