package crash

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/azprov/azprov"
)

const (
	// maxText is what is kept of a crash: the panic and the first goroutine's stack come
	// first.
	maxText = 64 << 10
	// maxHeadline bounds the exception where nothing is as expected.
	maxHeadline = 200
	// maxStack is what is reported of it: a report has 4,095 bytes at most, in base64.
	maxStack = 2 << 10
)

// monitor waits for the end of the agent, and returns the exit status of its own process.
func monitor(pipe io.Reader, report func(context.Context, error) error) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	text, _ := io.ReadAll(io.LimitReader(pipe, maxText))
	_, _ = io.Copy(io.Discard, pipe) // until the agent has ended
	err := crashed(string(text))
	if err == nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout) //nolint:forbidigo // The process is this one's own.
	defer cancel()
	if err := report(ctx, err); err != nil {
		_, _ = io.WriteString(os.Stderr, "the crash of the agent was not reported: "+azprov.OneLine(err.Error())+"\n") //nolint:forbidigo // Nobody is left to tell.
		return 1
	}
	return 0
}

// crashed makes an error of what the agent has left, nil if it ended well.
func crashed(text string) error {
	if strings.HasSuffix(text, farewell) {
		return nil
	}
	if name, ok := strings.CutPrefix(text, signaled); ok {
		return failure("crash.Watch", "the agent was ended by a signal: "+azprov.OneLine(strings.TrimSpace(name)), "")
	}
	if headline := headline(text); headline != "" {
		return failure("crash.Watch", headline, text)
	}
	return failure("crash.Watch", "the agent ended without a word: killed, or it left in the middle", "")
}

// Panicked makes the error of a panic that was recovered: [azprov.KindInternal], with the
// value and the stack for the platform. stack is debug.Stack's.
func Panicked(value any, stack []byte) error {
	return failure("crash.Panicked", azprov.OneLine(fmt.Sprintf("panic: %v", value)), string(stack))
}

func failure(op, headline, stack string) error {
	e := &azprov.Error{
		Op: op, Kind: azprov.KindInternal, Message: headline,
		Reason: Reason, Details: []azprov.Detail{{Key: "exception", Value: headline}},
	}
	if stack != "" {
		e.Details = append(e.Details, azprov.Detail{Key: "traceback_base64", Value: traceback(stack)})
	}
	return e
}

// Reason is that of the reports, in the catalogue of package report.
const Reason = "provisioning agent crashed"

// headline says why. Go's runtime does not pass on the text of its own fatal errors, only
// the stack that led to them.
func headline(text string) string {
	lines := strings.Split(text, "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "SIG") {
			return azprov.OneLine(line)
		}
	}
	for _, line := range lines {
		if function, ok := frame(line); ok {
			return "fatal error of Go's runtime in " + function
		}
	}
	return azprov.OneLine(text[:min(len(text), maxHeadline)])
}

// frame is the function of a line of a stack, unless it is the runtime's own.
func frame(line string) (function string, ok bool) {
	i := strings.LastIndexByte(line, '(')
	if i <= 0 || line[0] == '\t' || strings.Contains(line[:i], " ") {
		return "", false
	}
	own := strings.HasPrefix(line, "runtime.") || strings.HasPrefix(line, "internal/")
	return azprov.OneLine(line[:i]), !own
}

// traceback is a stack as cloud-init reports one, in base64. What matters least must come
// last, because that is what is cut off; Go's runtime has that order already.
func traceback(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxStack {
		text = text[:strings.LastIndexByte(text[:maxStack], '\n')+1]
	}
	return base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(text)))
}
