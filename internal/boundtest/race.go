//go:build race

package boundtest

// RaceDetector makes cryptography some ten times as slow: elliptic curves, triple DES.
const RaceDetector = true
