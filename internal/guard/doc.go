// Package guard holds tests of the module as a whole: which packages may be
// linked into which, and how large a minimal importer of each may grow. It has no
// code to import.
package guard
