//! A message as a value of CEL, whose fields are looked up when they are asked for.

use std::any::Any;
use std::sync::Arc;

use cel::ExecutionError;
use cel::Value;
use cel::common::traits::Indexer;
use cel::common::types::{CelList, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage};

use super::presence::MARK;

static TYPE: Type = Type::new_struct_type("flow.Message");

/// A message.
#[derive(Debug, Clone)]
pub(super) struct MessageValue(pub DynamicMessage);

impl Val for MessageValue {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<MessageValue>().is_some_and(|other| self.0 == other.0)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for MessageValue {}

impl Indexer for MessageValue {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.field(index).map(CowVal::from)
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.field(index)
    }
}

impl MessageValue {
    fn field<'v>(&self, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError> {
        let name = index.downcast_ref::<CelString<'_>>().map(CelString::inner).unwrap_or_default();
        let no_such_key = || ExecutionError::NoSuchKey(Arc::new(name.to_owned()));
        let plain = name.strip_prefix(MARK).unwrap_or(name);
        let field = self.0.descriptor().get_field_by_name(plain).ok_or_else(no_such_key)?;
        let is_set = self.0.has_field(&field);
        if name.starts_with(MARK) {
            return boxed(Value::Bool(is_set));
        }
        if !is_set && is_wrapper(&field) {
            return boxed(Value::Null);
        }
        value(&self.0.get_field(&field))
    }
}

/// `google.protobuf.BoolValue` and its like, which are their content or nothing.
fn is_wrapper(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => wrapped(message.full_name()),
        _ => false,
    }
}

fn wrapped(name: &str) -> bool {
    name.starts_with("google.protobuf.") && name.ends_with("Value")
}

fn boxed<'v>(value: Value) -> Result<Box<dyn Val + 'v>, ExecutionError> {
    let converted: Result<Box<dyn Val>, _> = value.try_into();
    converted.map_err(|_| ExecutionError::function_error("_flow", "not a value"))
}

fn value<'v>(of: &prost_reflect::Value) -> Result<Box<dyn Val + 'v>, ExecutionError> {
    use prost_reflect::Value as Of;
    boxed(match of {
        Of::Bool(value) => Value::Bool(*value),
        Of::I32(value) | Of::EnumNumber(value) => Value::Int((*value).into()),
        Of::I64(value) => Value::Int(*value),
        Of::U32(value) => Value::UInt((*value).into()),
        Of::U64(value) => Value::UInt(*value),
        Of::F32(value) => Value::Float((*value).into()),
        Of::F64(value) => Value::Float(*value),
        Of::String(text) => Value::String(Arc::new(text.clone())),
        Of::Bytes(bytes) => Value::Bytes(Arc::new(bytes.to_vec())),
        Of::Message(message) if wrapped(message.descriptor().full_name()) => {
            let content = message.get_field_by_name("value");
            return content.map_or_else(|| boxed(Value::Null), |content| value(&content));
        }
        Of::Message(message) => return Ok(Box::new(MessageValue(message.clone()))),
        Of::List(values) => {
            let values: Result<Vec<Box<dyn Val + 'v>>, _> = values.iter().map(value).collect();
            return Ok(Box::new(CelList::from(values?)));
        }
        // No message of a flow has one.
        Of::Map(_) => Value::Null,
    })
}
