//! What an API server does with a request to forward a port of a pod: a WebSocket with two channels for
//! each port, data and errors, both of which begin with the port's number (Kubernetes, `portforward`
//! over `v4.channel.k8s.io`).

use std::net::SocketAddr;

use futures_util::SinkExt;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::server::Pieces;

/// Forwards the one port that is asked for to this address.
pub fn upgrade(mut request: Request<Incoming>, to: SocketAddr) -> Response<Pieces> {
    let query = request.uri().query().unwrap_or_default();
    let port: u16 =
        query.split('&').find_map(|it| it.strip_prefix("ports=")).unwrap().parse().unwrap();
    let accept = derive_accept_key(request.headers()["sec-websocket-key"].as_bytes());
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None);
        forward(stream.await, port, to).await;
    });
    let response = Response::builder().status(101);
    let response = response.header("connection", "Upgrade").header("upgrade", "websocket");
    let response = response.header("sec-websocket-accept", accept);
    let response = response.header("sec-websocket-protocol", "v4.channel.k8s.io");
    response.body(Pieces(mpsc::unbounded_channel().1)).unwrap()
}

async fn forward(mut socket: WebSocketStream<TokioIo<Upgraded>>, port: u16, to: SocketAddr) {
    const DATA: u8 = 0;
    const ERRORS: u8 = 1;
    let of = |channel: u8, bytes: &[u8]| Message::binary([&[channel], bytes].concat());
    for channel in [DATA, ERRORS] {
        socket.send(of(channel, &port.to_le_bytes())).await.unwrap();
    }
    let Ok(mut pod) = TcpStream::connect(to).await else {
        let why = format!("failed to connect to port {port}: connection refused");
        drop(socket.send(of(ERRORS, why.as_bytes())).await);
        drop(socket.close(None).await);
        return;
    };
    let mut bytes = [0; 16_384];
    loop {
        tokio::select! {
            read = pod.read(&mut bytes) => match read {
                Ok(count) if count > 0 => {
                    if socket.send(of(DATA, &bytes[..count])).await.is_err() {
                        return;
                    }
                }
                _ => {
                    drop(socket.close(None).await);
                    return;
                }
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) if bytes[0] == DATA => {
                    pod.write_all(&bytes[1..]).await.unwrap();
                }
                Some(Ok(_)) => {}
                _ => return,
            },
        }
    }
}
