//! How a meeting is joined by telephone.

use mms_model::DialIn;
use serde_json::Value;

use super::meeting::text;

/// The longest list of numbers that goes into a block.
const MOST_NUMBERS: usize = 4;

/// What `phoneDialInInformation` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Telephone {
    pub(super) numbers: Vec<DialIn>,
    pub(super) passcode: Option<String>,
    /// The conference id of a provider, which is the same for every meeting of the user.
    pub(super) conference_id: Option<String>,
}

impl Telephone {
    /// Reads the resource; what is missing is none.
    pub(super) fn read(json: &Value) -> Self {
        let is_provided =
            json.get("isAudioConferenceProviderEnabled").and_then(Value::as_bool).unwrap_or(false);
        if is_provided { Self::of_provider(json) } else { Self::of_regions(json) }
    }

    /// The numbers of the server's own dial-in conferencing, those of the user's region first.
    fn of_regions(json: &Value) -> Self {
        let regions = json.get("_embedded").and_then(|all| all.get("dialInRegion"));
        let regions: Vec<&Value> = match regions {
            Some(Value::Array(all)) => all.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => Vec::new(),
        };
        let default = text(json, "defaultRegion");
        let is_default = |region: &&Value| default.is_some() && text(region, "name") == default;
        let (first, others): (Vec<&Value>, Vec<&Value>) = regions.into_iter().partition(is_default);
        let mut telephone = Self::default();
        for region in first.into_iter().chain(others) {
            telephone.add(text(region, "number"), text(region, "name").unwrap_or_default());
        }
        telephone
    }

    /// The numbers of an audio conferencing provider. That its passcode and conference id belong to the user and not to
    /// the meeting follows from where they stand (unconfirmed).
    fn of_provider(json: &Value) -> Self {
        let mut telephone = Self {
            numbers: Vec::new(),
            passcode: text(json, "participantPassCode"),
            conference_id: text(json, "conferenceId"),
        };
        telephone.add(text(json, "tollNumber"), String::new());
        for number in json.get("tollFreeNumbers").and_then(Value::as_array).into_iter().flatten() {
            telephone.add(number.as_str().map(str::to_owned), "toll-free".to_owned());
        }
        telephone
    }

    fn add(&mut self, number: Option<String>, label: String) {
        let Some(number) = number.as_deref().and_then(number_of) else { return };
        if self.numbers.len() < MOST_NUMBERS && self.numbers.iter().all(|known| known.number != number) {
            self.numbers.push(DialIn { number, label });
        }
    }
}

/// A number as it is printed, from a `tel:` URI (RFC 3966) or from text.
fn number_of(text: &str) -> Option<String> {
    let bare = match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => {
            text[4..].split(';').next().unwrap_or_default()
        }
        _ => text,
    };
    let bare = bare.trim();
    let sound = bare.len() <= 40
        && bare.chars().filter(char::is_ascii_digit).count() >= 3
        && bare.chars().all(|c| c.is_ascii_digit() || " +-()./".contains(c));
    sound.then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers(telephone: &Telephone) -> Vec<(&str, &str)> {
        telephone.numbers.iter().map(|n| (n.number.as_str(), n.label.as_str())).collect()
    }

    #[test]
    fn the_users_region_comes_first() {
        let region =
            |name: &str, number: &str| json!({"name": name, "number": number, "languages": ["en-US"]});
        let json = json!({
            "defaultRegion": "Berlin", "isAudioConferenceProviderEnabled": false, "participantPassCode": "samplevalue",
            "conferenceId": "12983487", "tollNumber": "+1 1",
            "_embedded": {"dialInRegion": [
                region("Redmond", "tel:+14255550001"), region("Berlin", "tel:+4930555;ext=12"), region("X", "tel:+14255550001"),
                region("Y", "javascript:1234"), region("Z", "5\r\n55"),
            ]},
        });
        let telephone = Telephone::read(&json);
        assert_eq!(numbers(&telephone), [("+4930555", "Berlin"), ("+14255550001", "Redmond")]);
        assert_eq!((telephone.passcode, telephone.conference_id), (None, None));
    }

    #[test]
    fn a_provider_has_its_own_numbers() {
        let json = json!({
            "isAudioConferenceProviderEnabled": true, "conferenceId": "777", "participantPassCode": "4711",
            "tollNumber": "+1 (425) 555-0100", "tollFreeNumbers": ["+1 800-555-0100", 5],
        });
        let telephone = Telephone::read(&json);
        assert_eq!(numbers(&telephone), [("+1 (425) 555-0100", ""), ("+1 800-555-0100", "toll-free")]);
        assert_eq!(telephone.passcode.as_deref(), Some("4711"));
        assert_eq!(telephone.conference_id.as_deref(), Some("777"));
    }

    #[test]
    fn what_is_missing_is_none() {
        for json in [json!(null), json!({}), json!([]), json!({"_embedded": {"dialInRegion": 5}})] {
            assert_eq!(Telephone::read(&json), Telephone::default(), "{json}");
        }
    }
}
