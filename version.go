package azprov

// Version is the SDK's semantic version, without a leading v. It is part of the
// User-Agent of every request.
const Version = "0.1.0"
