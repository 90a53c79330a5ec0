//! What Chandra works with: the container runtime, the cluster, ports, and Hubble.

use crate::node::{Cluster, HubbleServer, HubbleState, Node, Port};
use crate::{Check, Finding, Grade};

pub fn examine(node: &Node) -> Vec<Finding> {
    let mut findings = vec![runtime(node)];
    findings.extend(cluster(&node.cluster));
    findings.extend(node.ports.iter().map(port));
    findings.extend(hubble(&node.hubble));
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

fn hubble(servers: &[HubbleServer]) -> Vec<Finding> {
    let is_absent = |server: &&HubbleServer| matches!(server.state, HubbleState::Absent(_));
    if !servers.is_empty() && servers.iter().all(|server| is_absent(&server)) {
        let says = "no server of Hubble's is here: neither an agent of Chandra's, nor Cilium's, nor a relay";
        let next = "start one: chandra agent; or reach a relay: chandra status --port-forward";
        return vec![Finding::new(Grade::Note, Check::HUBBLE, "Hubble", says, next)];
    }
    servers.iter().filter(|server| !is_absent(server)).map(served).collect()
}

fn served(server: &HubbleServer) -> Finding {
    let HubbleServer { address, whose, state } = server;
    let subject = format!("Hubble, {whose}");
    match state {
        HubbleState::Serving => {
            Finding::fine(Check::HUBBLE, subject, format!("serves on {address}"))
        }
        HubbleState::Absent(why) => {
            Finding::fine(Check::HUBBLE, subject, format!("not on {address}: {why}")).as_note()
        }
        HubbleState::NotServing(word) => Finding::new(
            Grade::Warning,
            Check::HUBBLE_NOT_READY,
            subject,
            format!("{address} answers {word}: a relay says so while no node answers it"),
            format!("chandra list nodes --server {address}"),
        ),
        HubbleState::Refused { why, next } => {
            Finding::new(Grade::Warning, Check::HUBBLE, subject, format!("{address}: {why}"), next)
        }
    }
}
