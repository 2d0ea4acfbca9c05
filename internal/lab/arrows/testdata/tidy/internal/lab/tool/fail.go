package main

func fail(err error) { panic(err) }
