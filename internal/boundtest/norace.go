//go:build !race

package boundtest

// RaceDetector is off.
const RaceDetector = false
