//go:build !linux

package media

func isNoMedium(error) bool { return false }

func isGone(error) bool { return false }
