//! Reads a JSON body field by field and collects everything that is wrong with it, so that one answer tells it all.

use crate::problem::{Error, FieldError};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::cell::RefCell;

/// What is wrong so far.
#[derive(Default)]
pub(crate) struct Wrong(RefCell<Vec<FieldError>>);

impl Wrong {
    pub(crate) fn add(&self, field: impl Into<String>, message: impl Into<String>) {
        self.0.borrow_mut().push(FieldError::new(field, message));
    }
    /// The value, unless something was wrong.
    pub(crate) fn unless<T>(self, value: T) -> Result<T, Error> {
        let errors = self.0.into_inner();
        if errors.is_empty() { Ok(value) } else { Err(Error::Invalid(errors)) }
    }
}

/// An object of the body. `null` counts as absent everywhere.
pub(crate) struct Object<'a> {
    wrong: &'a Wrong,
    path: String,
    fields: Option<&'a Map<String, Value>>,
}

impl<'a> Object<'a> {
    /// The body itself.
    pub(crate) fn root(body: &'a Value, wrong: &'a Wrong) -> Self {
        Self::at(String::new(), body, wrong)
    }
    fn at(path: String, value: &'a Value, wrong: &'a Wrong) -> Self {
        if value.as_object().is_none() {
            wrong.add(path.clone(), "must be an object");
        }
        Self { wrong, path, fields: value.as_object() }
    }
    /// Path of a field.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
    /// Says what is wrong with a field.
    pub(crate) fn wrong(&self, name: &str, message: impl Into<String>) {
        self.wrong.add(self.path(name), message);
    }
    /// A field's value where it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields?.get(name).filter(|value| !value.is_null())
    }

    /// A text of at most `most` characters; blank counts as absent.
    pub(crate) fn text(&self, name: &str, most: usize) -> Option<String> {
        let value = self.get(name)?;
        let text = value.as_str().or_else(|| {
            self.wrong(name, "must be a string");
            None
        })?;
        check_text(text, most).map_err(|message| self.wrong(name, message)).ok()?;
        (!text.trim().is_empty()).then(|| text.to_owned())
    }
    /// A text that must be there; empty where it is not.
    pub(crate) fn required_text(&self, name: &str, most: usize) -> String {
        let said = self.get(name).is_some_and(|value| value.as_str().is_none_or(|text| !text.trim().is_empty()));
        self.text(name, most).unwrap_or_else(|| {
            if !said && self.fields.is_some() {
                self.wrong(name, "must be given");
            }
            String::new()
        })
    }
    /// A whole number within bounds.
    pub(crate) fn integer(&self, name: &str, least: u32, most: u32) -> Option<u32> {
        let value = self.get(name)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        let found = number.filter(|number| (least..=most).contains(number));
        if found.is_none() {
            self.wrong(name, format!("must be a whole number from {least} to {most}"));
        }
        found
    }
    /// A number within bounds.
    pub(crate) fn number(&self, name: &str, least: f64, most: f64) -> Option<f64> {
        let value = self.get(name)?;
        let found = value.as_f64().filter(|number| (least..=most).contains(number));
        if found.is_none() {
            self.wrong(name, format!("must be a number from {least} to {most}"));
        }
        found
    }
    /// `true` or `false`.
    pub(crate) fn boolean(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        if value.as_bool().is_none() {
            self.wrong(name, "must be true or false");
        }
        value.as_bool()
    }
    /// A point in time.
    pub(crate) fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        let value = self.get(name)?;
        let found = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        if found.is_none() {
            self.wrong(name, "must be a time as in RFC 3339, e.g. 2026-12-31T00:00:00Z");
        }
        found.map(|time| time.to_utc())
    }
    /// One of the names that `T` reads.
    pub(crate) fn choice<T: serde::de::DeserializeOwned>(&self, name: &str, names: &str) -> Option<T> {
        let value = self.get(name)?;
        let found = value.is_string().then(|| T::deserialize(value).ok()).flatten();
        if found.is_none() {
            self.wrong(name, format!("must be one of {names}"));
        }
        found
    }
    /// An object; an absent one has no fields.
    pub(crate) fn object(&self, name: &str) -> Object<'a> {
        match self.get(name) {
            Some(value) => Object::at(self.path(name), value, self.wrong),
            None => Object { wrong: self.wrong, path: self.path(name), fields: None },
        }
    }
    fn array(&self, name: &str, most: usize) -> &'a [Value] {
        let Some(value) = self.get(name) else { return &[] };
        match value.as_array() {
            Some(items) if items.len() <= most => items,
            Some(_) => {
                self.wrong(name, format!("must have at most {most} entries"));
                &[]
            }
            None => {
                self.wrong(name, "must be an array");
                &[]
            }
        }
    }
    /// An array of objects.
    pub(crate) fn objects(&self, name: &str, most: usize) -> Vec<Object<'a>> {
        let items = self.array(name, most).iter().enumerate();
        items.map(|(n, item)| Object::at(format!("{}[{n}]", self.path(name)), item, self.wrong)).collect()
    }
    /// An array of texts.
    pub(crate) fn texts(&self, name: &str, most: usize, longest: usize) -> Vec<String> {
        let mut texts = Vec::new();
        for (n, item) in self.array(name, most).iter().enumerate() {
            match item.as_str().ok_or_else(|| "must be a string".to_owned()).and_then(|text| {
                check_text(text, longest)?;
                Ok(text.to_owned())
            }) {
                Ok(text) => texts.push(text),
                Err(message) => self.wrong(&format!("{name}[{n}]"), message),
            }
        }
        texts
    }
}

/// What PostgreSQL and people can take.
fn check_text(text: &str, most: usize) -> Result<(), String> {
    if text.contains('\0') {
        return Err("must not contain the character U+0000".to_owned());
    }
    if text.len() > most && text.chars().count() > most {
        return Err(format!("must have at most {most} characters"));
    }
    Ok(())
}

/// Whether a value has U+0000 anywhere, which PostgreSQL's jsonb refuses.
pub(crate) fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_that_is_wrong_is_told_with_its_path() {
        let body = json!({"a": 1, "b": {"c": "x\u{0}"}, "d": [{"e": 9}, 7], "f": [1], "g": null});
        let wrong = Wrong::default();
        let root = Object::root(&body, &wrong);
        assert_eq!(root.text("a", 9), None);
        assert_eq!(root.object("b").text("c", 9), None);
        for item in root.objects("d", 9) {
            item.integer("e", 1, 5);
            item.required_text("name", 9);
        }
        root.texts("f", 9, 9);
        assert_eq!(root.text("g", 9), None);
        let Err(Error::Invalid(errors)) = wrong.unless(()) else { panic!("nothing was wrong") };
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["a", "b.c", "d[1]", "d[0].e", "d[0].name", "f[0]"]);
    }
}
