//! What whoever asks may do in a cluster, by the cluster's own word. For people at a command line, who want to
//! know what a role lacks: it asks (`SelfSubjectAccessReview`), and changes nothing.

use std::time::Duration;

use chandra_identity::cluster::Resource;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::timeout;

use crate::access::Access;
use crate::error::{Error, innermost, shortened};
use crate::rules::{VERBS, rule};

/// What each question may take.
const WITHIN: Duration = Duration::from_secs(5);

const RESOURCES: [Resource; 5] = [
    Resource::Pods,
    Resource::Services,
    Resource::EndpointSlices,
    Resource::Nodes,
    Resource::Namespaces,
];

/// What a cluster answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The server's address.
    pub server: String,
    /// Verb, resource, and whether it may be done, or why that is not known.
    pub may: Vec<(String, String, Result<bool, String>)>,
}

/// Asks whether everything may be done that [`Source`](crate::Source) does.
///
/// # Errors
/// When no cluster can be asked, or the server does not answer at all.
pub fn all(access: &Access) -> Result<Review, Error> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        let config = access.config(WITHIN).await?;
        let server = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| Error::Client(innermost(&error)))?;
        let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
        let mut may = Vec::new();
        for resource in RESOURCES {
            for verb in VERBS {
                let answer = ask(&reviews, verb, resource).await;
                // A server that is away for one question is so for all.
                let answer = match answer {
                    Err(Refusal::Away(reason)) if may.is_empty() => {
                        return Err(Error::Away { server, reason });
                    }
                    Err(Refusal::Away(reason) | Refusal::Refused(reason)) => Err(reason),
                    Ok(may) => Ok(may),
                };
                may.push((verb.to_owned(), resource.word().to_owned(), answer));
            }
        }
        Ok(Review { server, may })
    })
}

enum Refusal {
    Away(String),
    Refused(String),
}

async fn ask(
    reviews: &Api<SelfSubjectAccessReview>,
    verb: &str,
    resource: Resource,
) -> Result<bool, Refusal> {
    let rule = rule(resource);
    let attributes = ResourceAttributes {
        group: Some(rule.group.to_owned()),
        resource: Some(rule.resource.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        ..SelfSubjectAccessReviewSpec::default()
    };
    let question = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let parameters = PostParams::default();
    let answer = timeout(WITHIN, reviews.create(&parameters, &question)).await;
    match answer {
        Err(_) => Err(Refusal::Away(format!("no answer within {WITHIN:?}"))),
        Ok(Err(kube::Error::Api(status))) => Err(Refusal::Refused(shortened(&status.message))),
        Ok(Err(error)) => Err(Refusal::Away(innermost(&error))),
        Ok(Ok(answer)) => answer
            .status
            .map(|status| status.allowed)
            .ok_or_else(|| Refusal::Refused("the server said neither yes nor no".to_owned())),
    }
}
