//! Hubble: whether a server is on this node, how Cilium's is set up in the cluster, and whether anybody away from
//! the nodes can see what they see.

use crate::node::{HubbleServer, HubbleSettings, HubbleSetup, HubbleState, Node, Reading};
use crate::{Check, Finding, Grade};

pub fn examine(node: &Node) -> Vec<Finding> {
    let mut findings = servers(&node.hubble);
    findings.extend(setup(&node.hubble_setup));
    findings
}

fn servers(servers: &[HubbleServer]) -> Vec<Finding> {
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

const SUBJECT: &str = "Cilium's Hubble";

fn setup(setup: &HubbleSetup) -> Vec<Finding> {
    let fine = |says: &str| Finding::fine(Check::HUBBLE_SETUP, SUBJECT, says);
    match setup {
        HubbleSetup::NotAsked => vec![],
        HubbleSetup::NoCilium { namespace } => {
            let says =
                format!("no Cilium is installed in {namespace}; flows come from Chandra's agents");
            vec![fine(&says)]
        }
        HubbleSetup::Unknown { why, next } => {
            vec![Finding::new(
                Grade::Note,
                Check::HUBBLE_SETUP,
                SUBJECT,
                format!("not known: {why}"),
                next,
            )]
        }
        HubbleSetup::Installed { namespace, settings } => installed(namespace, settings),
    }
}

fn installed(namespace: &str, settings: &HubbleSettings) -> Vec<Finding> {
    let warning =
        |check, subject, says: &str, next| Finding::new(Grade::Warning, check, subject, says, next);
    let note = |subject, says: &str, next| {
        Finding::new(Grade::Note, Check::HUBBLE_SETUP, subject, says, next)
    };
    let set = |values: &str| {
        format!("helm upgrade cilium cilium/cilium -n {namespace} --reuse-values {values}")
    };
    if !settings.is_enabled {
        let says = "off (enable-hubble): flows come from Chandra's agents alone";
        return vec![note(
            SUBJECT,
            says,
            set("--set hubble.enabled=true --set hubble.relay.enabled=true"),
        )];
    }
    let mut findings = vec![Finding::fine(Check::HUBBLE_SETUP, SUBJECT, "on (enable-hubble)")];
    let (relay, with_relay) = ("Hubble's relay", || set("--set hubble.relay.enabled=true"));
    findings.push(match (&settings.relay, settings.listens) {
        (Err(why), _) => note(relay, &format!("not known: {why}"), "name a kubeconfig that may: --kubernetes FILE".to_owned()),
        (Ok(None), _) => {
            let says = "not installed: flows are seen on each node's own socket, and nowhere else";
            warning(Check::HUBBLE_SETUP, relay, says, with_relay())
        }
        (Ok(Some(_)), false) => {
            let says = "installed, but nodes listen on their socket alone (hubble-listen-address): it reaches none";
            warning(Check::HUBBLE_SETUP, relay, says, set("--set hubble.listenAddress=:4244"))
        }
        (Ok(Some(0)), true) => {
            let next = format!("kubectl -n {namespace} logs deployment/hubble-relay");
            warning(Check::HUBBLE_NOT_READY, relay, "installed, and none of its pods is ready", next)
        }
        (Ok(Some(pods)), true) => {
            let says = format!("{pods} ready; reach it: chandra observe --port-forward");
            Finding::fine(Check::HUBBLE_SETUP, relay, says)
        }
    });
    findings.extend(peers(settings, with_relay()));
    findings.push(match &settings.metrics {
        Some(metrics) => Finding::fine(Check::HUBBLE_SETUP, "Hubble's metrics", metrics),
        None => note(
            "Hubble's metrics",
            "off (hubble-metrics)",
            set("--set hubble.metrics.enabled='{dns,drop,tcp,flow}'"),
        ),
    });
    if settings.listens {
        findings.push(match settings.has_tls {
            true => Finding::fine(Check::HUBBLE_SETUP, "Hubble's TLS", "on"),
            false => note(
                "Hubble's TLS",
                "off (hubble-disable-tls): flows cross the network for everybody to read",
                set("--set hubble.tls.enabled=true --set hubble.tls.auto.enabled=true"),
            ),
        });
    }
    findings
}

/// The service by which a relay finds the nodes; of no use without one.
fn peers(settings: &HubbleSettings, next: String) -> Option<Finding> {
    let has_relay = matches!(&settings.relay, Ok(Some(_)));
    let is_missing: &Reading<bool> = &settings.has_peers;
    (has_relay && *is_missing == Ok(false)).then(|| {
        let says = "the service hubble-peer is not there: a relay finds no node";
        Finding::new(Grade::Warning, Check::HUBBLE_SETUP, "Hubble's peers", says, next)
    })
}
