//go:build !linux

package main

import "errors"

func setKernelName(string) error { return errors.ErrUnsupported }
