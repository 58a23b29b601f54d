// Package e2e holds tests of the SDK as an agent has it: real links, DHCP, sockets and
// processes, against the fabric in a lab. It has no code of its own.
package e2e
