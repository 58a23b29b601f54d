// Package render writes what a platform says of a machine as fragments of Ignition config,
// for base.platform.d/PLATFORM/, where Ignition merges them below the user's own config:
// whatever the user sets, wins.
//
// It knows nothing of any platform. A provider fills a [Machine], [Render] makes fragments of
// it, and [Write] puts them where Ignition reads them. Each part has a switch, and one turns
// all of them off. Ignition drops every fragment of a platform, and says so in a line of its
// log only, if one of them cannot be read; package lint finds that out before.
package render
