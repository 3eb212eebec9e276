// Package model checks the protocol that keeps two stores equal, by looking at
// every state it can get into.
//
// The model is one key, one gateway, two stores and a few clients. Each step is
// the smallest thing that can happen between two others: a request takes effect,
// an answer arrives, an intent is settled, a read checks the key's counter, a
// settlement reaches the disk. Requests fail, answers are lost, requests whose
// sender gave up land later or never, the gateway is killed at any moment and
// starts again, and an operator changes the phase meanwhile. A search goes through
// all orders of all steps, nearest first, and requires of every state that
//
//   - what clients were answered is linearizable (I2, I5, I8): lin.go;
//   - a clean key is equal on both stores, and no late request can change that
//     (I3): check.go;
//   - it can come to rest, with every intent settled (I11): search.go.
//
// The rules R1 to R13 stand beside the code they ask for. Each can be left out by
// name (rules.go); TestEveryRuleIsNeeded does so and requires that something goes
// wrong, which also shows that the search would see it. A violation prints the
// shortest way to it.
//
//	go test ./test/model                                     bounded, seconds
//	go test ./test/model -run TestModel -v -full             everything, with liveness
//	go test ./test/model -run TestModel -v -config M2 -off overlap-is-pending
//	go test ./test/model -run Random -worlds 2000 -seed 0    configurations nobody thought of
//
// -states N bounds each search; -faults, -crashes, -reads and -slow make the
// configurations larger. The full search reaches 65.7 million states in 91
// configurations, in a minute and a half on one core with 1.5 GB of memory, without
// a violation.
//
// # Reading order
//
//	state.go     what there is: stores, intents, operations, late requests
//	model.go     configurations, and the list of what may happen next
//	effect.go    the clients' mutations, and what a request does to a store
//	ops.go       a mutation's way: begin, both requests, early answer, end
//	durable.go   an intent's way to the disk
//	stream.go    bodies that come in before their mutation enters
//	intents.go   when an intent settles, what it supersedes, tombstones
//	copy.go      the backfill's copy, also the one made from a client's read
//	repair.go    the repairer
//	reader.go    reads through cache, new and old; listings
//	source.go    a second key, from which a server-side copy reads
//	phase.go     phase changes
//	crash.go     late requests, crash and restart
//	lin.go, check.go, search.go    what is required, and the search
//	configs*.go  the worlds that are searched
//
// # What is modelled as the gateway does it
//
// Early acknowledgement; a clean success that settles what older operations of
// known outcome left (not of kind Change); pending intents of one kind merged into
// one; conditional and unconditional copies; copies made from a client's read;
// multipart uploads whose Complete runs on the primary, then on the secondary,
// which may have lost the upload or parts of it; server-side copies whose
// secondary is left alone when the source is dirty, and doubted when it moved.
//
// In some configurations also: intents that are durable some time after they began,
// which a crash forgets and whose clients may go away meanwhile; a journal that
// stops; bodies that stream under one phase and enter in another.
//
// # What is not
//
// Several gateways, writes behind the gateway's back, versions, stores that lie
// about durability, and a request that lands after the quarantine. Uploads' parts
// are content like any other. The second key has one writer, whose requests do not
// land late. Time passes only in that late requests come to an end.
package model
