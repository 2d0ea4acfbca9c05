// Package crispotel shows by OpenTelemetry what package crisp does: a span for each event
// that is handled, for each REST call, each web hook and each message that the bridge
// stores, and the metrics to watch a program by. It needs the API of OpenTelemetry
// only; which SDK and exporters there are is for the program to decide. Without any, it
// costs next to nothing.
//
//	router.Use(crispotel.Middleware())
//	client, err := crisp.New(token, crisp.WithHTTPClient(&http.Client{Transport: crispotel.Transport(nil)}))
//	…
//	rtm, err := client.NewRTM(router, crisp.WithHooks(crispotel.Hooks(crisp.Hooks{})))
//	…
//	observation, err := crispotel.Observe(rtm)
//	http.Handle("/hooks/crisp", crispotel.Webhook(webhook))
//
// # Spans
//
//   - "process message:send", of kind CONSUMER: an event is handled ([Middleware]).
//   - "POST website/{website_id}/conversation/{session_id}/message", of kind CLIENT: a REST call is sent ([Transport]).
//   - "POST", or "POST /hooks/crisp", of kind SERVER: a web hook is answered ([Webhook]).
//   - "publish message:send", of kind PRODUCER: the bridge stores an event in a log ([Publisher]).
//
// They form one trace from the web hook to the REST calls of the handlers; behind the
// bridge a new one begins that is linked to it, or the same goes on ([WithContinuedTraces]).
//
// # What is never shown
//
// No attribute of a span or metric has a text that people wrote, a key, a secret or a URL's query. The
// identifier of a conversation is in spans only, as messaging.message.conversation_id; that of a
// website is in spans, and in metrics by [WithWebsiteAttribute]. Either is left out if it does not look like
// one. Spans also have the identifier of the event ([crisp.EventID], a hash) and its size. All other attributes have
// one of few values: names of events that the catalog doesn't have are
// "_OTHER", unless [WithEventNames] lists them, and errors are named by their class or
// type.
//
// # Metrics
//
// Attributes in brackets are there where they apply. Counters that have few time series have all of them from the start, at
// 0, lest the first increase be missed: if the provider is set by then.
//
//	messaging.client.consumed.messages  counter, {message}: messaging.destination.name, crisp.source, [crisp.behind_bridge], [error.type], [crisp.website.id]
//	messaging.process.duration          histogram, s: the same
//	messaging.client.sent.messages      counter, {message}: messaging.operation.name (send, publish), [messaging.destination.name], [error.type]
//	messaging.client.operation.duration histogram, s: the same, of what the bridge stores
//	http.client.request.duration        histogram, s: http.request.method, url.template, server.address, server.port, [http.response.status_code], [error.type]
//	crisp.rest.throttled                counter, {request}: http.response.status_code (420, 423, 429)
//	crisp.rest.quota.remaining          gauge, {request}: what Crisp said last is left
//	crisp.rtm.connected                 gauge: 1 while connected, else 0
//	crisp.rtm.reconnects                counter, {connection}
//	crisp.rtm.dropped                   counter, {message}
//	crisp.rtm.queue.bytes               gauge, By
//	crisp.rtm.queue.oldest              gauge, s: the age of the oldest event that is not handled
//	crisp.rtm.silence                   gauge, s: since the last event
//	crisp.rtm.gap.duration              histogram, s: crisp.gap.reason
//	crisp.backfill.gaps                 counter, {gap}: crisp.backfill.complete
//	crisp.backfill.messages             counter, {message}: the same
//	crisp.backfill.requests             counter, {request}: the same
//	crisp.webhook.deliveries            counter, {delivery}: http.response.status_code, [error.type]
//	crisp.bridge.messages               counter, {message}: crisp.bridge.outcome (handled, failed, duplicate, buried, lost)
//	crisp.bridge.in_hand                gauge, {message}
//	crisp.bridge.running                gauge, {message}
//	crisp.bridge.partitions             gauge, {partition}
//
// Those of messaging have messaging.system = crisp and messaging.operation.name besides. Those of an RTM client, of a
// client's quota and of the bridge have messaging.client.id where [WithClientID] gives one.
package crispotel
