//! Which values the chart takes: as much of JSON Schema as `values.schema.json` uses. A keyword that is not
//! known here would check nothing, so a test refuses a schema that has one.

use serde_json::{Map, Value};

/// The keywords.
pub const KEYWORDS: [&str; 9] = [
    "$schema",
    "title",
    "type",
    "properties",
    "additionalProperties",
    "enum",
    "items",
    "description",
    "minLength",
];

/// What is wrong with a value, each with its place; nothing if all is well.
pub fn mistakes(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let named = || if place.is_empty() { "the values" } else { place };
    if let Some(kinds) = schema.get("type").filter(|kinds| !is_one_of(kinds, value)) {
        found.push(format!("{} is {}, and has to be {}", named(), kind(value), words(kinds)));
        return;
    }
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.contains(value)
    {
        let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
        found.push(format!("{} is {value}, and has to be one of {}", named(), allowed.join(", ")));
    }
    let least = schema.get("minLength").and_then(Value::as_u64);
    if let (Some(1..), Some("")) = (least, value.as_str()) {
        found.push(format!("{} is empty", named()));
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        for (number, value) in values.iter().enumerate() {
            check(items, value, &format!("{place}[{number}]"), found);
        }
    }
    if let Value::Object(values) = value {
        check_names(schema, values, place, found);
    }
}

fn check_names(schema: &Value, values: &Map<String, Value>, place: &str, found: &mut Vec<String>) {
    let none = Map::new();
    let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    for (name, value) in values {
        let inside = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        match (known.get(name), schema.get("additionalProperties")) {
            (Some(schema), _) => check(schema, value, &inside, found),
            (None, Some(Value::Bool(false))) => {
                let distance = |known: &&String| strsim::damerau_levenshtein(name, known);
                let nearest = known.keys().min_by_key(distance);
                let nearest =
                    nearest.map_or_else(String::new, |it| format!("; the nearest is {it}"));
                found.push(format!("{inside} is not known{nearest}"));
            }
            (None, Some(schema)) => check(schema, value, &inside, found),
            (None, None) => {}
        }
    }
}

fn is_one_of(kinds: &Value, value: &Value) -> bool {
    match kinds {
        Value::String(wanted) => wanted == kind(value) || wanted == "number" && value.is_number(),
        Value::Array(kinds) => kinds.iter().any(|kind| is_one_of(kind, value)),
        _ => true,
    }
}

/// The type of a value, as JSON Schema names it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn words(kinds: &Value) -> String {
    match kinds {
        Value::Array(kinds) => kinds.iter().map(words).collect::<Vec<_>>().join(" or "),
        kind => kind.as_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_have_their_places() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "image": {
                    "type": "object", "additionalProperties": false,
                    "properties": { "tag": { "type": "string" }, "name": { "type": "string", "minLength": 1 } }
                },
                "kind": { "enum": ["a", "b"] },
                "list": { "type": "array", "items": { "type": ["string", "integer"] } },
                "any": { "type": "object", "additionalProperties": { "type": "string" } },
            }
        });
        let fine = json!({ "image": { "tag": "", "name": "x" }, "kind": "a", "list": ["x", 1], "any": { "b": "c" } });
        assert_eq!(mistakes(&schema, &fine), Vec::<String>::new());
        let wrong = json!({
            "image": { "tga": "1", "tag": 1, "name": "" }, "kind": "c", "list": [true], "any": { "b": 1 }
        });
        let mut found = mistakes(&schema, &wrong);
        found.sort();
        assert_eq!(
            found,
            [
                "any.b is integer, and has to be string",
                "image.name is empty",
                "image.tag is integer, and has to be string",
                "image.tga is not known; the nearest is tag",
                "kind is \"c\", and has to be one of \"a\", \"b\"",
                "list[0] is boolean, and has to be string or integer",
            ]
        );
        assert_eq!(mistakes(&schema, &json!([])), ["the values is array, and has to be object"]);
    }
}
