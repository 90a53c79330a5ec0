//! Values: read from YAML, set one by one, and put over each other, as Helm does it.

use serde_json::{Map, Value};

/// Longer texts are no values.
const MOST_BYTES: usize = 1 << 20;

/// Reads YAML.
///
/// # Errors
/// In words with the place, when it is none, or no mapping.
pub fn parse(text: &str) -> Result<Value, String> {
    if text.len() > MOST_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    if text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        return Ok(Value::Object(Map::new()));
    }
    let value: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err("it is no mapping of names to values".to_owned()),
    }
}

/// `under` with `over` put over it: mappings are joined, all else is replaced. A null takes the default away,
/// which the schema then refuses where there has to be a value.
#[must_use]
pub fn over(under: Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(names)) => {
            for (name, value) in names {
                let joined = match under.remove(name) {
                    Some(below) => self::over(below, value),
                    None => value.clone(),
                };
                under.insert(name.clone(), joined);
            }
            Value::Object(under)
        }
        (_, over) => over.clone(),
    }
}

/// Sets what `a.b=1` says. A value is YAML (`true`, `12`, `[a, b]`); what is none is text.
///
/// # Errors
/// In words, when there is no name or no value.
pub fn set(values: &mut Value, assignment: &str) -> Result<(), String> {
    let (path, text) =
        assignment.split_once('=').ok_or_else(|| format!("{assignment:?} is no NAME=VALUE"))?;
    let value = serde_saphyr::from_str(text).unwrap_or_else(|_| Value::from(text));
    let value = if text.is_empty() { Value::from("") } else { value };
    let mut place = values;
    for name in path.split('.') {
        if name.is_empty() {
            return Err(format!("{path:?} names nothing"));
        }
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(names) = place else { return Err(format!("{path:?} names nothing")) };
        place = names.entry(name).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mappings_are_joined_and_lists_replaced() {
        let under = json!({ "a": { "b": 1, "c": [1, 2] }, "d": "x" });
        let joined = over(under, &json!({ "a": { "c": [3] }, "e": null }));
        assert_eq!(joined, json!({ "a": { "b": 1, "c": [3] }, "d": "x", "e": null }));
    }

    #[test]
    fn values_are_set_by_their_path() {
        let mut values = json!({ "a": { "b": 1 } });
        for assignment in ["a.b=true", "a.c=[x, z]", "d=10%", "e.f=", "g=a=b", "h=12"] {
            set(&mut values, assignment).unwrap();
        }
        assert_eq!(
            values,
            json!({
                "a": { "b": true, "c": ["x", "z"] }, "d": "10%", "e": { "f": "" }, "g": "a=b", "h": 12
            })
        );
        assert!(set(&mut values, "a").is_err() && set(&mut values, "a..b=1").is_err());
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        assert_eq!(parse("# nothing\n").unwrap(), json!({}));
        for wrong in ["- a", "a: [", "text", "a: 1\na: 2"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
