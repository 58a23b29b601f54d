// Package wireserver is a client of Azure's wire server, 168.63.129.16 on port 80:
// protocol versions, the goal state and the configurations it points to, and the
// health reports by which a VM tells the platform that it is Ready, or why not.
// [Discover] is for fabrics that have it at another address.
//
// The documents themselves are package goalstate's. The protocol is what
// WALinuxAgent and cloud-init speak; Microsoft documents the two requests of a
// ready report ("Creating generalized images without a provisioning agent").
package wireserver
