//! What clients ask about the mailbox itself: its address, and its owner's options.

use roxmltree::Node;

use super::answer::{escaped, response, success};
use super::folder::Folders;
use super::mime::ZONE;
use super::operations::{NO_FOLDER, NO_ITEM, elements, refuse};
use super::shape::schema;
use super::{Fault, child};
use crate::item::Id;
use crate::state::Shared;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Ids of other forms; the sandbox has one form, and says whose mailbox an id is of.
pub(super) fn convert_id(shared: &Shared, user: usize, operation: Node<'_, '_>) -> Result<String, Fault> {
    if operation.attribute("DestinationFormat") != Some("EwsId") {
        return Err(Fault::new("ErrorInvalidRequest", "The sandbox converts ids to EwsId alone."));
    }
    let folders = Folders::of(shared, user);
    let address = escaped(&shared.organisation.address(user));
    let mut messages = Vec::new();
    for source in elements(operation, "SourceIds") {
        if source.attribute("Format") != Some("EwsId") {
            return Err(Fault::new("ErrorInvalidRequest", "The sandbox converts ids from EwsId alone."));
        }
        let id = source.attribute("Id").ok_or_else(|| schema("an AlternateId has no Id"))?;
        let is_item = Id::parse(id).is_some_and(|id| id.user == user);
        messages.push(if is_item || folders.by_id(id).is_some() {
            success(
                "ConvertId",
                &format!(
                    "<m:AlternateId xmlns:xsi=\"{XSI}\" xsi:type=\"t:AlternateIdType\" Format=\"EwsId\" Id=\"{}\" \
                     Mailbox=\"{address}\"/>",
                    escaped(id)
                ),
            )
        } else {
            refuse(shared, "ConvertId", ("ErrorInvalidIdMalformed", "Id is malformed."))
        });
    }
    Ok(response("ConvertId", &messages))
}

/// The options that Outlook on the web keeps, of which the sandbox has the time zone.
pub(super) fn user_configuration(
    shared: &Shared,
    user: usize,
    operation: Node<'_, '_>,
) -> Result<String, Fault> {
    let named = child(operation, "UserConfigurationName");
    let named = named.ok_or_else(|| schema("the UserConfigurationName is missing"))?;
    let name = named.attribute("Name").unwrap_or_default();
    let folders = Folders::of(shared, user);
    let folder = named.first_element_child().and_then(|folder| folders.named(folder));
    let message = match folder {
        None => refuse(shared, "GetUserConfiguration", NO_FOLDER),
        Some(folder) if folder.key() == "root" && name == "OWA.UserOptions" => success(
            "GetUserConfiguration",
            &format!(
                "<m:UserConfiguration><t:UserConfigurationName Name=\"{name}\">{}</t:UserConfigurationName><t:Dictionary>\
                 <t:DictionaryEntry><t:DictionaryKey><t:Type>String</t:Type><t:Value>timezone</t:Value></t:DictionaryKey>\
                 <t:DictionaryValue><t:Type>String</t:Type><t:Value>{ZONE}</t:Value></t:DictionaryValue>\
                 </t:DictionaryEntry></t:Dictionary></m:UserConfiguration>",
                folder.id_element(user, "FolderId")
            ),
        ),
        Some(_) => refuse(shared, "GetUserConfiguration", NO_ITEM),
    };
    Ok(response("GetUserConfiguration", &[message]))
}
