//! Mails to a mail server, by SMTP (RFC 5321).

use std::error::Error as _;
use std::time::Duration;

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::deliver::{AT_ONCE, Failure};
use crate::config::{SmtpTls, SmtpUrl};

/// How long the server may take to be reached.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the server may take where it is only tried.
const REACH: Duration = Duration::from_secs(5);

/// How long the whole of a mail may take: more, since a server that has it and takes its time to say so would get it again.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// How long a line is kept for the next mail.
const IDLE: Duration = Duration::from_secs(10);

/// Answers about the service's own access, which the operator can mend (RFC 4954 section 6, RFC 5321 section 4.2.1): not about
/// this mail, though the server means them for good.
const NOT_ABOUT_THE_MAIL: [u16; 9] = [500, 501, 502, 503, 504, 530, 534, 535, 538];

/// A mail server.
pub(super) struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    pub fn new(url: &SmtpUrl) -> Result<Smtp, SmtpError> {
        let tls = match url.tls {
            SmtpTls::Never => Tls::None,
            SmtpTls::Opportunistic => Tls::Opportunistic(parameters(&url.host)?),
            SmtpTls::Required => Tls::Required(parameters(&url.host)?),
            SmtpTls::Implicit => Tls::Wrapper(parameters(&url.host)?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&url.host)
            .port(url.port)
            .tls(tls)
            .timeout(Some(CONNECT))
            .pool_config(PoolConfig::new().max_size(AT_ONCE as u32).idle_timeout(IDLE));
        if let Some((user, password)) = &url.credentials {
            transport = transport.credentials(Credentials::new(user.clone(), password.to_string()));
        }
        Ok(Smtp(transport.build()))
    }

    pub async fn send(&self, mail: Message) -> Result<(), Failure> {
        match tokio::time::timeout(DEADLINE, self.0.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(judge(&error)),
            Err(_) => Err(Failure::Passing(format!("the mail server took longer than {DEADLINE:?}"))),
        }
    }
}

/// Connects to the mail server as for a mail, TLS and password included, and sends none. What went wrong is said without
/// the password.
pub async fn reach(url: &SmtpUrl) -> Result<(), String> {
    let smtp = Smtp::new(url).map_err(|error| reason(&error))?;
    match tokio::time::timeout(REACH, smtp.0.test_connection()).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err("it hung up".to_owned()),
        Ok(Err(error)) => Err(reason(&error)),
        Err(_) => Err(format!("it did not answer within {REACH:?}")),
    }
}

/// Trusts the authorities that the system trusts (`SSL_CERT_FILE` names others), or Mozilla's where the system knows none.
fn parameters(host: &str) -> Result<TlsParameters, SmtpError> {
    let store = match rustls_native_certs::load_native_certs().certs.as_slice() {
        [] => CertificateStore::WebpkiRoots,
        _ => CertificateStore::Default,
    };
    TlsParameters::builder(host.to_owned()).certificate_store(store).build_rustls()
}

/// With all that led to it.
fn reason(error: &SmtpError) -> String {
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !why.contains(&cause_text) {
            why = format!("{why}: {cause_text}");
        }
        source = cause.source();
    }
    why
}

fn judge(error: &SmtpError) -> Failure {
    let why = reason(error);
    let about_the_mail = error.status().is_some_and(|code| !NOT_ABOUT_THE_MAIL.contains(&code.into()));
    if error.is_permanent() && about_the_mail { Failure::Final(why) } else { Failure::Passing(why) }
}
