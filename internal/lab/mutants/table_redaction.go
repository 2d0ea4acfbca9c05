package main

// redactionMutants are about what is printed, logged and encoded.
var redactionMutants = []mutant{
	{
		promise: "tokens and errors are printed, logged or encoded",
		removed: "a secret that REST answers, or that is sent, is not printed",
		in:      "rest printed",
		old:     "!s.Field(i).IsZero()",
		new:     "s.Field(i).IsZero()",
		tests:   "TestAnswersWithSecretsPrintWithoutThem TestBodiesWithSecretsPrintWithoutThem",
	},
	{
		promise: "tokens and errors are printed, logged or encoded",
		removed: "no verb prints the JSON of an answer with secrets",
		in:      "rest printed",
		old:     "value = answer.Problems",
		new:     "value = answer",
		tests:   "TestAnswersWithSecretsPrintWithoutThem",
	},
	{
		promise: "tokens and errors are printed, logged or encoded",
		removed: "no verb prints a plugin's token",
		in:      "PluginWebsite.Format",
		old:     "func (w PluginWebsite) Format(",
		new:     "func (w PluginWebsite) format(",
		tests:   "TestPluginWebsites",
	},
	{
		promise: "tokens and errors are printed, logged or encoded",
		removed: "a handler's error is encoded without its event",
		in:      "HandlerError.MarshalText",
		old:     "func (e HandlerError) MarshalText() ([]byte, error) {",
		new:     "func (e HandlerError) marshalText() ([]byte, error) {",
		tests:   "TestErrorsShowNoPayload",
	},
	{
		promise: "tokens and errors are printed, logged or encoded",
		removed: "no verb shows the data of a refusal",
		in:      "APIError.Format",
		old:     "func (e APIError) Format(",
		new:     "func (e APIError) format(",
		tests:   "TestErrorsShowNoPayload",
	},
	{
		promise: "tokens and errors are printed, logged or encoded",
		removed: "no verb shows the event of a handler's error",
		in:      "HandlerError.Format",
		old:     "func (e HandlerError) Format(",
		new:     "func (e HandlerError) format(",
		tests:   "TestErrorsShowNoPayload",
	},
	{
		promise: "tokens and errors are printed, logged or encoded",
		removed: "no encoder takes a token",
		in:      "Token.GobEncode",
		old:     "func (t Token) GobEncode() ([]byte, error) { return nil, errTokenMarshalled }",
		new:     "",
		tests:   "TestTokensNeverShowTheirKey",
	},
	{
		promise: "tokens and errors are printed, logged or encoded",
		removed: "a client holds its token where nothing prints it",
		in:      "New",
		old:     "userAgent: \"crisp-go/\" + Version,",
		new:     "userAgent: \"crisp-go/\" + Version + token.Key,",
		tests:   "TestWhatIsSafeInAnUnexportedField",
	},
}
