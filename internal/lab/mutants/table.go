package main

import "slices"

// mutants covers all promises of docs/reliability.md and all rows of its table
// of faults, and what the bridge promises.
var mutants = slices.Concat(
	deliveryMutants, queueMutants, gapMutants, connectionMutants, frameMutants, endMutants, backfillMutants, positionMutants, webhookMutants,
	answerMutants, clockMutants, historyMutants, onceMutants, retryMutants, pauseMutants, toldMutants, redactionMutants, userCodeMutants, bridgeMutants)
