package unitfailure

import (
	"context"
	"slices"
	"strconv"
)

const (
	// maxJournal bounds what is read of the journal. It comes newest first, so that what
	// is cut is the oldest.
	maxJournal = 1 << 20
	// maxMessage is what is kept of one message, which a program can make as long as it
	// likes: half from its start, half from its end, where a traceback has its error.
	maxMessage = 16 << 10
)

// Ids of systemd's own messages (systemd's sd-messages.h).
const (
	messageProcessExit = "98e322203f7a4ed290d09fe03c09fe15"
	messageUnitResult  = "d9b373ed55a64feb8242e02dbe79a49c"
	messageUnitSuccess = "7ad2d189f7e94e70a38c781354912448"
	messageJobFailed   = "be02cf6855d2428ba40df7e9d022f03d"
	messageJobDone     = "39f53479d3a045ac8e11786248231fbf"
)

// journal reads the unit's last entries of this boot, oldest first: of the one invocation,
// if it is known and its program has written something, else of the unit.
func (r *reader) journal(ctx context.Context, id string) []entry {
	if r.o.Directory == "" {
		// The last words of a program that has just died may be on their way to
		// journald. Without the right to ask for it, what has arrived is read.
		_, _ = r.o.Run(ctx, maxComplaint, "journalctl", "--sync")
	}
	if id != "" {
		entries, ok := r.query(ctx, "_SYSTEMD_INVOCATION_ID="+id, "+", "INVOCATION_ID="+id)
		if !ok || slices.ContainsFunc(entries, func(e entry) bool { return !e.managers() }) {
			return entries
		}
	}
	entries, _ := r.query(ctx, "--unit="+r.unit)
	return entries
}

// query asks journalctl; ok is false if it has failed.
func (r *reader) query(ctx context.Context, match ...string) (entries []entry, ok bool) {
	args := []string{
		"--boot", "--output=json", "--output-fields=" + fields, "--all", "--reverse", "--no-pager", "--quiet",
		"--lines=" + strconv.Itoa(r.o.Lines),
	}
	if r.o.Directory != "" {
		args = append(args, "--directory="+r.o.Directory)
	}
	out, err := r.o.Run(ctx, maxJournal, "journalctl", append(args, match...)...)
	if err != nil {
		r.warn("journalctl: " + err.Error())
	}
	entries, broken := parseEntries(out, r.o.Lines)
	if broken > 0 {
		r.warn("journalctl: entries that are cut or no JSON: " + strconv.Itoa(broken))
	}
	slices.Reverse(entries)
	return entries, err == nil
}

// of leaves out the entries of other invocations than id: earlier runs of the unit. Many
// entries have none, like those of a process that was gone before journald looked.
func of(entries []entry, id string) []entry {
	if id == "" {
		return entries
	}
	another := func(e entry) bool {
		whose := e.From
		if e.managers() {
			whose = e.About
		}
		return whose != "" && string(whose) != id
	}
	return slices.DeleteFunc(slices.Clone(entries), another)
}

// journalFacts is what systemd has written of the unit's last run: for the journal of
// another boot there is nobody else to ask.
func journalFacts(entries []entry, unit string) facts {
	var f facts
	for _, e := range entries {
		if !e.managers() || string(e.Unit) != unit {
			continue
		}
		if id := invocation(string(e.About)); id != "" && id != f.invocation {
			f = facts{invocation: id} // another run
		}
		switch e.MessageID {
		case messageProcessExit:
			if ended := exited(string(e.Code), string(e.Status)); ended.status != "" {
				f.code, f.status = ended.code, ended.status
			}
		case messageUnitResult:
			f.result = string(e.Result)
		case messageUnitSuccess, messageJobDone:
			f.result = resultSuccess
		case messageJobFailed:
			// "failed" says less than the unit's own result before it.
			if !f.failed() || e.JobResult != activeFailed {
				f.result = string(e.JobResult)
			}
		}
	}
	return f
}
