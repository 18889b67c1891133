//! One field of a form: label, input, hint and error, tied together for everyone who reads them.

use askama::Template;

use super::pages::Trouble;

/// A field with its label. It prints itself.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "field.html")]
pub struct Field {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    value: String,
    hint: &'static str,
    error: String,
    class: &'static str,
    autocomplete: &'static str,
    inputmode: &'static str,
    pattern: &'static str,
    placeholder: &'static str,
    length_max: usize,
    is_required: bool,
    is_plain: bool,
    is_focused: bool,
}

impl Field {
    /// A line of text that must be given.
    pub fn text(name: &'static str, label: &'static str) -> Self {
        Self { name, label, kind: "text", is_required: true, ..Self::default() }
    }

    /// Of another kind: `password`, `email`, `tel`, `date`.
    pub fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// May stay empty.
    pub fn optional(self) -> Self {
        Self { is_required: false, ..self }
    }

    /// Sent under another name.
    pub fn called(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// A sentence below.
    pub fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// What browsers may fill in.
    pub fn autocomplete(self, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..self }
    }

    /// No capitals, corrections or spelling marks: names, codes, numbers.
    pub fn plain(self) -> Self {
        Self { is_plain: true, ..self }
    }

    /// The cursor starts here.
    pub fn focused(self) -> Self {
        Self { is_focused: true, ..self }
    }

    /// At most so many characters.
    pub fn at_most(self, length_max: usize) -> Self {
        Self { length_max, ..self }
    }

    /// What it holds.
    pub fn value(self, value: &str) -> Self {
        Self { value: value.to_owned(), ..self }
    }

    /// What is wrong with it, if anything is.
    pub fn trouble(self, trouble: &Trouble) -> Self {
        Self { error: trouble.of(self.name).to_owned(), ..self }
    }

    /// Six digits of an authenticator.
    pub fn code() -> Self {
        Self {
            class: "digits",
            inputmode: "numeric",
            pattern: "[0-9 ]{6,7}",
            autocomplete: "one-time-code",
            length_max: 7,
            ..Self::text("code", "Six-digit code").plain()
        }
    }

    /// Eight digits that were sent.
    pub fn sent_code() -> Self {
        Self { pattern: "[0-9 ]{8,9}", length_max: 9, label: "Eight-digit code", ..Self::code() }
    }

    /// A password that is known already.
    pub fn password(name: &'static str, label: &'static str) -> Self {
        Self::text(name, label).kind("password").autocomplete("current-password").plain().at_most(1024)
    }

    /// A code of an authenticator or one on paper.
    pub fn any_code() -> Self {
        Self { autocomplete: "one-time-code", length_max: 24, ..Self::text("code", "Code").plain() }
    }

    /// One of the codes on paper.
    pub fn recovery_code() -> Self {
        Self { autocomplete: "off", length_max: 24, ..Self::text("code", "Recovery code").plain() }
    }

    /// An amount of money.
    pub fn money() -> Self {
        Self {
            class: "money",
            inputmode: "decimal",
            placeholder: "0.00",
            autocomplete: "off",
            length_max: 24,
            hint: "Digits and a point, such as 1250.50",
            ..Self::text("amount", "Amount").plain()
        }
    }

    /// An account number.
    pub fn account_number(name: &'static str, label: &'static str) -> Self {
        Self { autocomplete: "off", length_max: 64, ..Self::text(name, label).plain() }
    }
}
