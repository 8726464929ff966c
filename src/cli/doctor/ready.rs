//! Whether the service that runs here is ready: for the health checks of containers, which have no HTTP client that speaks TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(4);

pub async fn ask(config: &Config) -> anyhow::Result<()> {
    ensure!(config.port != 0, "with PORT=0 nobody knows where the service is; set PORT");
    // Who listens everywhere does so on loopback.
    let host = match config.host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    let address = SocketAddr::new(host, config.port);
    let scheme = if config.tls_cert.is_some() { "https" } else { "http" };
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        // The certificate is for the name that clients use. This asks on the machine itself, and tells nothing.
        .tls_danger_accept_invalid_certs(true)
        .build()?;
    let asked = http.get(format!("{scheme}://{address}/health/ready")).send().await;
    let status = asked.with_context(|| format!("no service answers at {address}"))?.status();
    ensure!(status.is_success(), "not ready: {address} answered {status}");
    println!("ready");
    Ok(())
}
