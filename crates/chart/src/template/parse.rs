//! From the text of a template to its nodes.

use super::Error;
use super::expression::Expression;

/// A piece of a template.
#[derive(Debug)]
pub enum Node {
    /// As it is.
    Text(String),
    /// What this comes to.
    Value(Expression),
    /// The first branch that holds.
    If(Vec<Branch>),
    /// Once for each of what is gone through.
    Range {
        /// Variables for its name or number, and for itself.
        names: Option<[String; 2]>,
        /// What is gone through.
        over: Expression,
        /// For each.
        body: Vec<Node>,
    },
}

/// A branch.
#[derive(Debug)]
pub struct Branch {
    /// None: it always holds.
    pub condition: Option<Expression>,
    /// What is written then.
    pub body: Vec<Node>,
}

/// What is open and waits for its `end`.
enum Open {
    If { branches: Vec<Branch>, condition: Option<Expression>, line: usize },
    Range { names: Option<[String; 2]>, over: Expression, line: usize },
}

/// The nodes of a template.
pub fn nodes(template: &str) -> Result<Vec<Node>, Error> {
    let mut parser = Parser { open: Vec::new(), bodies: vec![Vec::new()] };
    let (mut rest, mut line) = (template, 1);
    let mut trims = false;
    while let Some((text, behind)) = rest.split_once("{{") {
        let at = line + text.matches('\n').count();
        let wrong = |why: &str| Error { line: at, why: why.to_owned() };
        let (action, after) = behind.split_once("}}").ok_or_else(|| wrong("{{ without }}"))?;
        let (trims_left, action) = match action.strip_prefix("- ") {
            Some(action) => (true, action),
            None => (false, action),
        };
        let (trims_right, action) = match action.strip_suffix(" -") {
            Some(action) => (true, action),
            None => (false, action),
        };
        let text = if trims { text.trim_start() } else { text };
        parser.text(if trims_left { text.trim_end() } else { text });
        parser.action(action.trim(), at)?;
        line = at + action.matches('\n').count();
        (rest, trims) = (after, trims_right);
    }
    parser.text(if trims { rest.trim_start() } else { rest });
    parser.finish()
}

struct Parser {
    open: Vec<Open>,
    /// Bodies of what is open, the innermost last; the first is the template's own.
    bodies: Vec<Vec<Node>>,
}

impl Parser {
    fn push(&mut self, node: Node) {
        if let Some(body) = self.bodies.last_mut() {
            body.push(node);
        }
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(Node::Text(text.to_owned()));
        }
    }

    fn action(&mut self, action: &str, line: usize) -> Result<(), Error> {
        let (word, rest) = action.split_once(' ').unwrap_or((action, ""));
        match word {
            "if" => {
                let condition = Some(Expression::parse(rest, line)?);
                self.open.push(Open::If { branches: Vec::new(), condition, line });
                self.bodies.push(Vec::new());
            }
            "range" => {
                let (names, over) = variables(rest, line)?;
                self.open.push(Open::Range { names, over, line });
                self.bodies.push(Vec::new());
            }
            "else" => {
                let condition = match rest.strip_prefix("if ") {
                    Some(condition) => Some(Expression::parse(condition, line)?),
                    None => None,
                };
                self.turn(condition, line)?;
            }
            "end" => self.close(line)?,
            _ if action.starts_with("/*") && action.ends_with("*/") => {}
            _ => self.push(Node::Value(Expression::parse(action, line)?)),
        }
        Ok(())
    }

    /// The branch that is open ends, and the next begins.
    fn turn(&mut self, next: Option<Expression>, line: usize) -> Result<(), Error> {
        let Some(Open::If { branches, condition, .. }) = self.open.last_mut() else {
            return Err(Error { line, why: "else without if".to_owned() });
        };
        let body = self.bodies.last_mut().map(std::mem::take).unwrap_or_default();
        branches.push(Branch { condition: std::mem::replace(condition, next), body });
        Ok(())
    }

    fn close(&mut self, line: usize) -> Result<(), Error> {
        let open = self.open.pop();
        let open = open.ok_or(Error { line, why: "end without a beginning".to_owned() })?;
        let body = self.bodies.pop().unwrap_or_default();
        self.push(match open {
            Open::If { mut branches, condition, .. } => {
                branches.push(Branch { condition, body });
                Node::If(branches)
            }
            Open::Range { names, over, .. } => Node::Range { names, over, body },
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Node>, Error> {
        match self.open.pop() {
            None => Ok(self.bodies.pop().unwrap_or_default()),
            Some(Open::If { line, .. }) => Err(Error { line, why: "if without end".to_owned() }),
            Some(Open::Range { line, .. }) => {
                Err(Error { line, why: "range without end".to_owned() })
            }
        }
    }
}

/// `$name, $value := EXPRESSION`, or the expression alone.
fn variables(text: &str, line: usize) -> Result<(Option<[String; 2]>, Expression), Error> {
    let Some((names, over)) = text.split_once(":=") else {
        return Ok((None, Expression::parse(text, line)?));
    };
    let names = names.split_once(',').and_then(|(name, value)| {
        let bare = |name: &str| name.trim().strip_prefix('$').map(str::to_owned);
        Some([bare(name)?, bare(value)?])
    });
    let why = || "range names two variables: $name, $value".to_owned();
    let names = names.ok_or_else(|| Error { line, why: why() })?;
    Ok((Some(names), Expression::parse(over, line)?))
}
