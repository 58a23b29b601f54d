package udf

import "github.com/azprov/azprov/internal/discfs"

const (
	// maxEntries of all directories of a volume together. A provisioning medium has less
	// than ten files.
	maxEntries = 1 << 14
	// maxBlocks bounds the blocks with descriptors that a volume's files are found with:
	// an entry each and the continuations of long files.
	maxBlocks = 1 << 15
	// maxExtents of all files of a volume together, which are kept: 3 MiB.
	maxExtents = 1 << 17
	// maxDirectories bounds the bytes of all directories of a volume together; an entry
	// has 40 and its name.
	maxDirectories = 8 << 20
)

// errBudget is a directory's error, not just that of a file in it.
var errBudget = discfs.Damaged("there is more of it than provisioning media have")

// budget is what of a volume may still be read. Each directory is charged once, however
// often it is read.
type budget struct {
	entries, blocks, extents, directories int
}

func wholeBudget() budget { return budget{maxEntries, maxBlocks, maxExtents, maxDirectories} }

// spend takes n of what is left.
func spend(left *int, n int) error {
	if n > *left {
		return errBudget
	}
	*left -= n
	return nil
}
