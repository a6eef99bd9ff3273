// rooms: doctor
// What is kept of failures. First byte: 'r' a text that may hold secrets, 's' a record as the store gives it.

#include "base/text.h"
#include "doctor/failure_story.h"
#include "doctor/print_story.h"
#include "require.h"

#include <array>
#include <string>

using namespace mcp_oauth;

namespace {

constexpr std::string_view planted = "Zm9yZ2V0LW1lLXBsZWFzZS0wMTIzNDU2Nzg5";

void obeys_nobody(std::string_view text, bool lines) {
  require(is_valid_utf8(text));
  for (char c : text) require((lines && c == '\n') || (c != 0x7F && (c < 0 || c >= ' ')));
}

void redact_one(std::string_view text) {
  auto clean = redact(text);
  require(clean.size() <= longest_text_of_a_story);
  obeys_nobody(clean, false);
  if (text.find(planted) != std::string_view::npos) return;
  // Whatever stands before a credential, it does not come through.
  for (std::string_view before : {" Bearer ", " code=", "&token=", " \"client_secret\":\""}) {
    auto given = std::string(text) + std::string(before) + std::string(planted);
    require(redact(given).find(planted) == std::string::npos);
  }
}

void tell_one(std::string_view data) {
  auto story = story_from(data);
  if (!story) return;
  make_fit(*story);
  auto again = story_from(to_data(*story));
  require(again.has_value() && to_data(*again) == to_data(*story));
  const std::array kept{*story};
  obeys_nobody(list_text(kept, false), true);
  auto told = tell_story(kept, {}, story->id);
  if (!told) return;
  obeys_nobody(to_text(*told, false), true);
  require(parse_json_object(json::serialize(to_json(*told))).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = text_of(data, size);
  if (input.empty()) return 0;
  if (input.front() == 'r') redact_one(input.substr(1));
  if (input.front() == 's') tell_one(input.substr(1));
  return 0;
}
