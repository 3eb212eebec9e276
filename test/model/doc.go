// Package model checks the protocol that keeps two stores equal.
package model
