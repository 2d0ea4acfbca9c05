// Package delivery is above payload.
package delivery
