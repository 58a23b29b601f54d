// Command agent ends in the way that its first argument names, and is watched meanwhile.
// What is reported goes into the file of its second argument.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/azprov/azprov"
	"github.com/azprov/azprov/report/crash"
)

type harbour struct{ ships map[string]int }

func main() {
	how, file := os.Args[1], os.Args[2]
	var signals []os.Signal
	if how == "caught" {
		signals = append(signals, syscall.SIGTERM)
	}
	done, err := crash.Watch(func(_ context.Context, err error) error {
		var e *azprov.Error
		if !errors.As(err, &e) {
			return errors.New("not typed")
		}
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if how == "report fails" {
			return errors.New("no wire")
		}
		return os.WriteFile(file, append(b, fmt.Sprintf("\n%s\n%s\n%q\n", e.Kind, e.Reason, e.Details)...), 0o600)
	}, signals...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
	switch how {
	case "well":
		done()
		done()
	case "exit after done":
		done()
		os.Exit(3)
	case "exit":
		os.Exit(3)
	case "panic", "report fails":
		panic("the mast is down")
	case "goroutine":
		go func() { panic(fmt.Errorf("fog: %w", os.ErrNotExist)) }()
		time.Sleep(time.Minute)
	case "nil":
		var h *harbour
		h.ships["pilot"]++
	case "recovered":
		func() {
			defer func() { _ = recover() }()
			panic("reef")
		}()
		done()
	case "fatal":
		var mu sync.Mutex
		mu.Unlock()
	case "deep":
		deep(0)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	case "term", "caught": // unlike others, SIGTERM is not ignored because a parent did so
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		time.Sleep(time.Minute)
	case "quit":
		_ = syscall.Kill(os.Getpid(), syscall.SIGQUIT)
		time.Sleep(time.Minute)
	case "group": // as a terminal or a supervisor does it
		_ = syscall.Kill(0, syscall.SIGTERM)
		time.Sleep(time.Minute)
	default:
		os.Exit(8)
	}
}

func deep(n int) int { return deep(n+1) + 1 }
