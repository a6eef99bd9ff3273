#pragma once

#include "symptom/catalogue.h"
#include "symptom/known_words.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// A row that a text is about.
struct found_symptom {
  const symptom* row = nullptr;
  std::string_view words;    // of the row or of `known_words`, that the text has most of
  guide from = guide::none;  // whose words these are
  bool exact = false;        // the text holds all of these words in their order, or they hold all of the text
  double nearness = 0;       // 0 to 1
};

// The row with that id ("MOP-AUD-001", in any case) or name ("token_audience_mismatch"); nullptr: none.
const symptom* find_by_id(std::string_view id);

// The rows that a text from a log, a page or a terminal is about, nearest first, at most `most`; each row
// once. Looked for are ids, names, descriptions, causes and known words; case, punctuation, numbers and
// addresses do not count. Ids are looked for in all of the text, words in its last 8 KiB. Only what shares
// enough with the text is given: an empty answer means unknown.
std::vector<found_symptom> find_symptoms(std::string_view text, std::size_t most);

// The known words that lead to that row.
std::vector<known_words> known_words_of(errc code);

}  // namespace mcp_oauth
