//! An expression, compiled, with the names that it may use.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::{Context, Env, ExecutionError, Program, Value};
use prost::Message;
use prost_reflect::DynamicMessage;

use super::message::MessageValue;
use super::{limits, presence};
use crate::filter::Why;
use crate::proto::flow::Flow;
use crate::reflect;

/// The variable that is the flow.
const FLOW: &str = "_flow";

/// An expression.
pub struct Expression {
    program: Program,
    names: Context<'static, 'static>,
}

impl Expression {
    /// What was typed. It is tried with an empty flow, so that most of what can never be evaluated is
    /// told now.
    pub fn compile(text: &str) -> Result<Self, Why> {
        limits::check(text)?;
        let env = Arc::new(Env::stdlib());
        let rewritten = presence::rewrite(text);
        // The interpreter has assertions about itself; one that fails is a refusal, not an end.
        let program = catch_unwind(AssertUnwindSafe(|| env.compile(&rewritten)))
            .map_err(|_| Why::Cel("it cannot be parsed".into()))?
            .map_err(|errors| Why::Cel(first_line(&errors)))?;
        let mut names = Context::with_env(env);
        add_enums(&mut names);
        let expression = Self { program, names };
        match expression.evaluate(&Flow::default()) {
            Some(Ok(Value::Bool(_))) => Ok(expression),
            Some(Ok(other)) => Err(Why::Cel(format!("got {}, wanted bool", other.type_of()))),
            Some(Err(error)) if is_of_values(&error) => Ok(expression),
            Some(Err(error)) => Err(Why::Cel(first_line(&error))),
            None => Err(Why::Cel("it cannot be evaluated".into())),
        }
    }

    /// Whether it is true of a flow; where it cannot be said, it is not.
    pub fn holds(&self, flow: &Flow) -> bool {
        matches!(self.evaluate(flow), Some(Ok(Value::Bool(true))))
    }

    /// `None` where the interpreter gave up.
    fn evaluate(&self, flow: &Flow) -> Option<Result<Value, ExecutionError>> {
        let description = reflect::message("flow.Flow")?;
        let flow = DynamicMessage::decode(description, &flow.encode_to_vec()[..]).ok()?;
        catch_unwind(AssertUnwindSafe(|| {
            let mut scope = self.names.new_inner_scope();
            scope.add_variable_as_val(FLOW, Box::new(MessageValue(flow)));
            self.program.execute(&scope)
        }))
        .ok()
    }
}

/// An error that another flow may not make: an index, a division.
fn is_of_values(error: &ExecutionError) -> bool {
    matches!(
        error,
        ExecutionError::IndexOutOfBounds(_)
            | ExecutionError::DivisionByZero(_)
            | ExecutionError::RemainderByZero(_)
            | ExecutionError::Overflow(..)
    )
}

/// Enums of flows by their names: `Verdict.DROPPED`.
fn add_enums(names: &mut Context<'static, 'static>) {
    let Some(flow) = reflect::message("flow.Flow") else { return };
    for described in flow.parent_file().enums() {
        let numbers: HashMap<String, i64> =
            described.values().map(|value| (value.name().into(), value.number().into())).collect();
        names.add_variable_from_value(described.name(), Value::from(numbers));
    }
}

fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().chars().take(200).collect()
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expression")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::flow::{Endpoint, Policy, Verdict, Workload};

    fn flow() -> Flow {
        Flow {
            verdict: Verdict::Dropped.into(),
            is_reply: Some(false),
            source: Some(Endpoint {
                identity: 7,
                pod_name: "web-0".into(),
                labels: vec!["k8s:app=web".into(), "k8s:tier=front".into()],
                workloads: vec![Workload { name: "web".into(), kind: "Deployment".into() }],
                ..Endpoint::default()
            }),
            egress_denied_by: vec![Policy { name: "p".into(), ..Policy::default() }],
            ..Flow::default()
        }
    }

    #[test]
    fn an_expression_is_true_of_a_flow_or_not() {
        for (text, expected) in [
            ("true", true),
            ("_flow.verdict == Verdict.DROPPED", true),
            ("_flow.verdict == Verdict.FORWARDED || _flow.verdict == Verdict.AUDIT", false),
            ("_flow.source.identity == 7u && _flow.source.identity == 7", true),
            ("_flow.source.pod_name.startsWith('web')", true),
            ("_flow.source.labels.exists(l, l == 'k8s:app=web')", true),
            ("_flow.source.labels.all(l, l.contains('app'))", false),
            ("'k8s:tier=front' in _flow.source.labels", true),
            ("_flow.source.workloads.exists(w, w.kind == 'Deployment' && has(w.name))", true),
            ("size(_flow.egress_denied_by) == 1", true),
            ("_flow.egress_denied_by[0].name == 'p'", true),
            ("_flow.ingress_denied_by[0].name == 'p'", false),
            ("_flow.is_reply == false", true),
            ("has(_flow.source) && !has(_flow.destination)", true),
            ("has(_flow.is_reply) && !has(_flow.l7)", true),
            ("has(_flow.source.pod_name) && !has(_flow.source.namespace)", true),
            ("_flow.destination.identity == 0 && _flow.destination.namespace == ''", true),
            ("_flow.l4.TCP.destination_port < 1024", true),
            ("_flow.source.pod_name != 'has(_flow.l7)'", true),
            ("_flow.IP.source == ''", true),
        ] {
            let expression = Expression::compile(text).expect(text);
            assert_eq!(expression.holds(&flow()), expected, "{text}");
        }
        let unknown = Expression::compile("_flow.is_reply == null").expect("it is one");
        assert!(unknown.holds(&Flow::default()) && !unknown.holds(&flow()));
    }

    #[test]
    fn what_is_no_condition_or_too_long_is_refused() {
        let deep = format!("{}true{}", "(".repeat(2000), ")".repeat(2000));
        let long = format!("[{}1].all(x, x > 0)", "1,".repeat(100));
        for text in [
            "",
            "(",
            "1 + 1",
            "'text'",
            "_flow",
            "_flow.nothing == 1",
            "_flow.source.nothing == 1",
            "nothing == 1",
            "_flow.verdict + 'x' == 1",
            "_flow.node_name.nothing()",
            "[1].all(a, [1].all(b, [1].all(c, true)))",
            &deep,
            &long,
        ] {
            match Expression::compile(text) {
                Err(Why::Cel(why)) => assert!(!why.is_empty() && !why.contains('\n'), "{why:?}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
