// Package test tests package natsbridge with servers: with one within the program, and
// behind the tag services with a cluster of three. It is a module of its own, so that the
// server is no dependency of natsbridge's.
package test
