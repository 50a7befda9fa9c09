//! How the calendar connectors read and rewrite invites: `mms-invite`, with what the configuration says of
//! own servers, patterns and templates.

use std::path::Path;
use std::sync::Arc;

use mms_invite::recognise::{CustomPlatform, Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::Platform;

use crate::config::Config;
use crate::failure::Failure;

/// The editor of the configuration; `own_hosts` and `custom` are what its platforms say of themselves.
///
/// # Errors
/// A pattern or a template cannot be used.
pub fn editor(
    config: &Config,
    own_hosts: Vec<(Platform, String)>,
    custom: Vec<CustomPlatform>,
) -> Result<Arc<Editor>, Failure> {
    let recogniser = recogniser(config, own_hosts, custom)?;
    let templates = match config.templates.dir.as_deref() {
        Some(dir) => Templates::with_overrides(overrides(dir)?)
            .map_err(|error| Failure::usage(format!("{}: {error}", dir.display())))?,
        None => Templates::builtin(),
    };
    Ok(Arc::new(Editor::new(Arc::new(recogniser), Arc::new(templates))))
}

/// The recogniser of the configuration.
///
/// # Errors
/// A platform of `[recognise]` is not told by its hosts, or a pattern is no regular expression.
pub fn recogniser(
    config: &Config,
    own_hosts: Vec<(Platform, String)>,
    custom: Vec<CustomPlatform>,
) -> Result<Recogniser, Failure> {
    let mut options = RecogniserOptions { custom, ..RecogniserOptions::default() };
    let named = config
        .recognise
        .hosts
        .iter()
        .flat_map(|(platform, hosts)| hosts.iter().map(|host| (platform.clone(), host.clone())));
    for (platform, host) in own_hosts.into_iter().chain(named) {
        let hosts = if platform == Platform::SFB {
            &mut options.skype_hosts
        } else if platform == Platform::JITSI {
            &mut options.jitsi_hosts
        } else if platform == Platform::BIG_BLUE_BUTTON {
            &mut options.big_blue_button_hosts
        } else {
            return Err(Failure::usage(format!(
                "{}: [recognise.hosts] {platform} is not told by its hosts: use SfB, Jitsi, BigBlueButton, or a \
                 [platform.{platform}] of kind \"template\"",
                config.path.display()
            )));
        };
        hosts.push(host);
    }
    Recogniser::new(&options).map_err(|error| Failure::usage(format!("{}: {error}", config.path.display())))
}

/// The administrator's templates by their file names.
fn overrides(dir: &Path) -> Result<Vec<(String, String)>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::usage(format!(
            "the templates in {} cannot be read: {error}; correct [templates] dir",
            dir.display()
        ))
    };
    let mut templates = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_template = path.extension().is_some_and(|extension| extension == "txt" || extension == "html");
        if let (true, Some(name)) = (is_template, path.file_name()) {
            let source = std::fs::read_to_string(&path).map_err(failed)?;
            templates.push((name.to_string_lossy().into_owned(), source));
        }
    }
    Ok(templates)
}
