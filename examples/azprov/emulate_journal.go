package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/emulator"
)

// journalWriter puts the journal into a file, unbuffered, and into the log; reports are
// told to people.
type journalWriter struct {
	file   *os.File // may be nil
	logger *zap.Logger
	tell   func(format string, args ...any) // may be nil
	empty  sync.Once
}

// begin empties the file, for its owner alone: not before all services listen, as what fails
// to start has nothing to replace a journal with. What is written comes after it.
func (j *journalWriter) begin() (err error) {
	j.empty.Do(func() {
		if j.file == nil {
			return
		}
		if info, failed := j.file.Stat(); failed != nil || !info.Mode().IsRegular() {
			return
		}
		_ = j.file.Chmod(0o600) // it may have been there with another mode
		if failed := j.file.Truncate(0); failed != nil {
			err = fileError("emulate", j.file.Name(), failed)
		}
	})
	return err
}

func (j *journalWriter) Write(line []byte) (int, error) {
	var entry emulator.Entry
	if json.Unmarshal(line, &entry) == nil {
		logEntry(j.logger, &entry)
		if j.tell != nil {
			tellReport(j.tell, &entry)
		}
	}
	if j.file == nil {
		return len(line), nil
	}
	if err := j.begin(); err != nil {
		return 0, err
	}
	return j.file.Write(line)
}

// logEntry logs a line of the journal: as a warning if something was wrong.
func logEntry(logger *zap.Logger, e *emulator.Entry) {
	fields := []zap.Field{
		zap.String("service", string(e.Service)), zap.String("method", e.Method), zap.String("path", e.Path),
		zap.Int("status", e.Status),
	}
	if e.VM != "" {
		fields = append(fields, zap.String("vm", e.VM))
	}
	if e.Fault != "" {
		fields = append(fields, zap.String("fault", e.Fault))
	}
	if e.Report != nil {
		fields = append(fields, zap.String("report", string(e.Report.State)))
	}
	what := "request"
	if e.Service == emulator.ServiceKVP {
		what = "record for the host"
	}
	if e.HostReport != nil {
		fields = append(fields, zap.String("report", e.HostReport.Raw))
	}
	if len(e.Verdicts) > 0 {
		logger.Warn(what, append(fields, zap.Strings("wrong", e.Verdicts))...)
		return
	}
	logger.Info(what, fields...)
}

// tellReport tells people of a report on either channel, and of what is wrong with the
// host's.
func tellReport(tell func(format string, args ...any), e *emulator.Entry) {
	var channel, text string
	switch {
	case e.HostReport != nil:
		channel, text = "host", e.HostReport.Raw
	case e.Service == emulator.ServiceKVP:
		channel, text = "host", e.Path
	case e.Report != nil && e.Status < http.StatusMultipleChoices:
		channel, text = "wire server", strings.TrimSpace(string(e.Report.State)+" "+e.Report.Description)
	case e.Report != nil:
		channel, text = "wire server", fmt.Sprintf("%s, answered %d", e.Report.State, e.Status)
	default:
		return
	}
	if e.VM != "" {
		channel = e.VM + "  " + channel
	}
	tell("%s  %-11s  %s", e.Time.Format("15:04:05.000"), channel, azprov.OneLine(text))
	for _, verdict := range e.Verdicts {
		tell("%s  wrong: %s", strings.Repeat(" ", len("15:04:05.000  wire server")), verdict)
	}
}
