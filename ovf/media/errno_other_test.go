//go:build !linux

package media_test

func drivesOfLinux() []situation { return nil }
