//! Finding the server, and being somebody to it.

use std::sync::Arc;

use chandra_identity::cluster::Resource;
use chandra_kubernetes::{Access, Error, Options, RemotePods, Source};
use chandra_tests::api_server::{Cluster, Server, write_kubeconfig};
use chandra_tests::scratch::Scratch;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::watching::{Watching, options};

/// A server with TLS, and the certificate of its authority.
fn with_tls(cluster: &Cluster) -> (Server, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let cluster = cluster.clone();
    let loopback = ([127, 0, 0, 1], 0).into();
    let server = Server::at(loopback, Some(acceptor), move |asked| cluster.answer(asked));
    (server, issuer.pem())
}

fn one_node() -> Cluster {
    let cluster = Cluster::new(1, 0);
    cluster.put("nodes", "own", json!({"metadata": {}}));
    cluster
}

#[test]
fn a_pod_asks_over_tls_as_its_service_account() {
    let (server, authority) = with_tls(&one_node());
    let folder = Scratch::new();
    std::fs::write(folder.at("ca.crt"), authority).unwrap();
    std::fs::write(folder.at("token"), "of-the-account").unwrap();
    let access = Access::ServiceAccount {
        server: format!("https://{}", server.address),
        folder: folder.path().to_owned(),
    };
    let mut watching = Watching::of(options(access, Resource::Nodes), folder);
    watching.wait_for("listed nodes");
    assert_eq!(watching.names(Resource::Nodes), ["own"]);
    assert_eq!(server.asked()[0].token.as_deref(), Some("Bearer of-the-account"));
}

#[test]
fn a_kubeconfig_names_the_authority() {
    let (server, authority) = with_tls(&one_node());
    let folder = Scratch::new();
    std::fs::write(folder.at("ca.pem"), authority).unwrap();
    let address = format!("https://{}", server.address);
    let file = write_kubeconfig(&folder, &address, "    certificate-authority: ca.pem\n");
    let mut watching = Watching::of(options(Access::Kubeconfig(file), Resource::Nodes), folder);
    watching.wait_for("listed nodes");
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    let (server, _) = with_tls(&one_node());
    let (_other, authority) = with_tls(&one_node());
    let folder = Scratch::new();
    std::fs::write(folder.at("ca.pem"), authority).unwrap();
    let address = format!("https://{}", server.address);
    let file = write_kubeconfig(&folder, &address, "    certificate-authority: ca.pem\n");
    let mut watching = Watching::of(options(Access::Kubeconfig(file), Resource::Nodes), folder);
    watching.wait_for("stale nodes");
    let words = &watching.stale[&Resource::Nodes];
    assert!(words.contains("certificate"), "{words}");
    assert!(server.asked().is_empty());
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    let folder = Scratch::new();
    let garbage = folder.at("garbage");
    std::fs::write(&garbage, ": [").unwrap();
    let account = |server: &str| Access::ServiceAccount {
        server: server.to_owned(),
        folder: folder.path().to_owned(),
    };
    let connect = |access| Source::connect(Options::new(access, "own")).unwrap_err();
    let error = connect(account("https://10.0.0.1"));
    assert!(error.to_string().contains("token: No such file"), "{error}");
    assert!(error.next().contains("automountServiceAccountToken"));
    std::fs::write(folder.at("token"), "t").unwrap();
    assert!(connect(account("https://10.0.0.1")).to_string().contains("ca.crt: No such file"));
    std::fs::write(folder.at("ca.crt"), "no certificate").unwrap();
    for server in ["", "nonsense", "https://"] {
        assert!(matches!(connect(account(server)), Error::Server(_)), "{server}");
    }
    for file in [folder.at("nowhere"), garbage] {
        let error = connect(Access::Kubeconfig(file));
        assert!(matches!(error, Error::Kubeconfig(_)), "{error:?}");
    }
    let file = write_kubeconfig(&folder, "https://10.0.0.1", "    proxy-url: http://p:1\n");
    assert!(matches!(connect(Access::Kubeconfig(file.clone())), Error::Proxy(_)));
    for node in ["", "a,b", "a=b"] {
        let options = Options::new(Access::Kubeconfig(file.clone()), node);
        let options = Options { remote_pods: RemotePods::None, ..options };
        assert!(matches!(Source::connect(options).unwrap_err(), Error::Node(_)));
    }
}
