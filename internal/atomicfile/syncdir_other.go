//go:build !unix

package atomicfile

// syncDir does nothing: a directory cannot be opened for this here.
func syncDir(string) error { return nil }
