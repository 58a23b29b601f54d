// Package guard holds tests of the module as a whole: which packages may be
// linked into which, and how large a minimal importer of each, and each example, may
// grow. What measures them is also for internal/cmd/size, which prints the sizes.
package guard
