#pragma once

#include "base/error.h"

#include <string_view>

namespace mcp_oauth {

// What an error page says to the person before it; the technical words of the catalogue stand below.
struct page_words {
  std::string_view headline;  // a few words, no full stop
  std::string_view advice;    // what happened and what this person can do
};

// For every code. Those that only the operator can mend share words that say so.
page_words words_for_people(errc code);

// What a scope allows, for the consent page; "" for one that we know nothing of.
std::string_view meaning_of_scope(std::string_view scope);

}  // namespace mcp_oauth
