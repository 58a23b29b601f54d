//go:build !linux

package media

func isNoMedium(error) bool { return false }
