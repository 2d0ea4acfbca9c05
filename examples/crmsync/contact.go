package main

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/crisp-go/crisp/rest"
)

// fields are what is kept of a contact in both places.
type fields struct {
	Email    string   `json:"email"`
	Nickname string   `json:"nickname"`
	Phone    string   `json:"phone"`
	Company  string   `json:"company"`
	Segments []string `json:"segments"`
}

func fieldsOf(p *rest.Profile) fields {
	return fields{
		Email: p.Email, Nickname: p.Person.Nickname, Phone: p.Person.Phone, Company: p.Company.Name,
		Segments: append([]string{}, p.Segments...),
	}
}

// card returns what is written of a contact to Crisp: all fields, also those that are
// empty.
func (f fields) card() rest.ProfileCard {
	card := rest.ProfileCard{
		Person: &rest.PersonInput{
			Nickname: rest.Set(cmp.Or(f.Nickname, strings.Split(f.Email, "@")[0])), // Crisp wants one
			Phone:    rest.Set(f.Phone),
		},
		Company:  &rest.CompanyInput{Name: rest.Set(f.Company)},
		Segments: append([]string{}, f.Segments...),
	}
	if f.Email != "" {
		card.Email = rest.Set(f.Email)
	}
	return card
}

// text returns the fields as they are compared, and stored as sent. Such as Crisp gets
// them: with a nickname.
func (f fields) text() string {
	f.Nickname = cmp.Or(f.Nickname, strings.Split(f.Email, "@")[0])
	f.Segments = append([]string{}, f.Segments...)
	data, _ := json.Marshal(f) // texts can always be encoded
	return string(data)
}
