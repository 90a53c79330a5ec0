//! What Chandra works with: the container runtime, the cluster, and ports.

use crate::node::{Cluster, Node, Port};
use crate::{Check, Finding, Grade};

pub fn examine(node: &Node) -> Vec<Finding> {
    let mut findings = vec![runtime(node)];
    findings.extend(cluster(&node.cluster));
    findings.extend(node.ports.iter().map(port));
    findings
}

fn runtime(node: &Node) -> Finding {
    let subject = "container runtime";
    match &node.runtime {
        Ok((version, socket)) => {
            Finding::fine(Check::RUNTIME, subject, format!("{version} on {socket}"))
        }
        Err(why) => Finding::new(
            Grade::Note,
            Check::RUNTIME,
            subject,
            format!("{why}; containers are known by the id in their cgroup's path only"),
            "where there is one, name its socket: --cri-socket PATH",
        ),
    }
}

fn cluster(cluster: &Cluster) -> Vec<Finding> {
    let (check, subject) = (Check::CLUSTER, "Kubernetes API");
    match cluster {
        Cluster::NotNamed => {
            let says = "not asked: this is no pod, and no kubeconfig was named (--kubernetes FILE)";
            vec![Finding::fine(check, subject, says).as_note()]
        }
        Cluster::Unreachable { why, next } => {
            vec![Finding::new(Grade::Failed, check, subject, why, next)]
        }
        Cluster::Answered { server, may } => {
            let first = Finding::fine(check, subject, format!("answers on {server}"));
            let rest = may.iter().map(|(verb, resource, answer)| {
                let subject = format!("may {verb} {resource}");
                let next = format!(
                    "kubectl auth can-i {verb} {resource}; docs/reference/rbac.md has the role"
                );
                match answer {
                    Ok(true) => Finding::fine(check, subject, "yes"),
                    Ok(false) => Finding::new(Grade::Warning, check, subject, "no", next),
                    Err(why) => Finding::new(
                        Grade::Warning,
                        check,
                        subject,
                        format!("not known: {why}"),
                        next,
                    ),
                }
            });
            std::iter::once(first).chain(rest).collect()
        }
    }
}

fn port(port: &Port) -> Finding {
    let Port { address, purpose, free } = port;
    let subject = format!("{purpose}, {address}");
    match free {
        Ok(()) => Finding::fine(Check::PORT, subject, "free"),
        Err(why) => Finding::new(
            Grade::Note,
            Check::PORT,
            subject,
            format!("{why}; where that is an agent of Chandra's, all is well"),
            format!("ss -ltnp | grep {address}"),
        ),
    }
}
