package nearest

import "testing"

func TestWord(t *testing.T) {
	t.Parallel()
	known := []string{"hostName", "userName", "password", "timeout", "dmi"}
	for given, want := range map[string]string{
		"hostname": "hostName",
		"hotName":  "hostName",
		"userNmae": "userName",
		"pass":     "password",
		"timeuot":  "timeout",
		"zebra":    "",
		"":         "",
		"x":        "",
	} {
		if got := Word(given, known); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := distance(row.a, row.b); got != row.want {
			t.Errorf("%q to %q: %d, want %d", row.a, row.b, got, row.want)
		}
	}
}
