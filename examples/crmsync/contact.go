package main

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/crisp-go/crisp/rest"
)

// fields are what both the database and Crisp hold of a contact.
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

// card returns what is written to Crisp for a contact: all fields, also the empty ones.
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

// text returns the fields as JSON, in the form in which they are compared and recorded as
// sent. It has a nickname even if the fields have none, since Crisp gets one.
func (f fields) text() string {
	f.Nickname = cmp.Or(f.Nickname, strings.Split(f.Email, "@")[0])
	f.Segments = append([]string{}, f.Segments...)
	data, _ := json.Marshal(f) // texts can always be encoded
	return string(data)
}
