//! The condition of a Sigma rule: of which events it is, and what it detects.

use super::{Building, Compiler, Tree};
use crate::condition;
use crate::definitions::Sigma;
use crate::sigma::Lowering;

impl Compiler<'_> {
    pub(super) fn detection(&mut self, sigma: &Sigma, building: &mut Building<'_>) -> Tree {
        let category = sigma.detection.category;
        let of_events = match condition::parse(category.condition) {
            Ok(expression) => self.expression(&expression, building, 0),
            // Tests see to that there is none that does not parse.
            Err(_) => Tree::Constant(false),
        };
        let mut lowering = Lowering {
            reporter: self.reporter,
            predicates: &mut self.predicates,
            category,
            issues: Vec::new(),
            checks: 0,
            fields: Vec::new(),
        };
        let detected = lowering.tree(&sigma.detection);
        let Lowering { issues, checks, fields, .. } = lowering;
        building.built.issues.extend(issues);
        building.built.checks += checks;
        building.built.fields.extend(fields);
        Tree::And(vec![of_events, detected])
    }
}
