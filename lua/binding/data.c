/* data.c: copies of plain data between Lua states that know nothing of each other
 *
 * A value is packed into bytes and unpacked from them, so that at every moment only one state is at work and an
 * error in it cannot unwind the other. Packed: 'n' 't' 'f' stand alone, 'd' before a double, 's' before a size_t
 * and that many bytes, '{' before pairs and '}' behind them. Metatables are not looked at and not copied.
 */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

static const char too_large[] = "data of more than 16 MiB cannot be handed over";

void km_lua_data_clear(km_lua_data *data) {
  free(data->bytes);
  *data = (km_lua_data){0};
}

static const char *append(km_lua_data *data, const void *bytes, size_t size) {
  if (size > KM_MAX_DATA_SIZE - data->size)
    return too_large;
  if (size > data->room - data->size) {
    size_t room = data->room == 0 ? 1024 : data->room;
    while (room < data->size + size)
      room *= 2;
    unsigned char *larger = realloc(data->bytes, room);
    if (larger == NULL)
      return "out of memory";
    data->bytes = larger;
    data->room = room;
  }
  memcpy(data->bytes + data->size, bytes, size);
  data->size += size;
  return NULL;
}

static const char *append_number(km_lua_data *data, lua_Number number) {
  const char *problem = append(data, "d", 1);
  return problem != NULL ? problem : append(data, &number, sizeof number);
}

static const char *append_text(km_lua_data *data, const char *text, size_t length) {
  const char *problem = append(data, "s", 1);
  if (problem == NULL)
    problem = append(data, &length, sizeof length);
  return problem != NULL ? problem : append(data, text, length);
}

/* A function as {["function"] = n}. */
static const char *append_function(lua_State *L, int index, km_lua_data *data,
                                   lua_Integer (*function)(lua_State *)) {
  if (function == NULL)
    return "functions cannot be handed over, only plain data";
  lua_pushvalue(L, index);
  lua_Integer number = function(L);
  lua_pop(L, 1);
  const char *problem = append(data, "{", 1);
  if (problem == NULL)
    problem = append_text(data, "function", strlen("function"));
  if (problem == NULL)
    problem = append_number(data, (lua_Number)number);
  return problem != NULL ? problem : append(data, "}", 1);
}

static const char *pack(lua_State *L, int index, km_lua_data *data, const km_lua_packing *how,
                        int depth);

static const char *pack_table(lua_State *L, int index, km_lua_data *data, const km_lua_packing *how,
                              int depth) {
  if (depth >= KM_MAX_DATA_DEPTH)
    return "tables nested deeper than 32, or a table that contains itself, cannot be handed over";
  if (!lua_checkstack(L, 8))
    return "out of stack";
  const char *problem = append(data, "{", 1);
  int top = lua_gettop(L);
  if (how->charge != NULL)
    how->charge(L, 1);
  for (lua_pushnil(L); problem == NULL && lua_next(L, index) != 0; lua_settop(L, top + 1)) {
    int type = lua_type(L, top + 1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
      problem = "a table key is no text, number or boolean: only plain data can be handed over";
    if (how->function != NULL && type == LUA_TSTRING &&
        strcmp(lua_tostring(L, top + 1), "function") == 0)
      problem = "a field \"function\" would stand for a function; give it another name";
    if (problem == NULL)
      problem = pack(L, top + 1, data, how, depth + 1);
    if (problem == NULL)
      problem = pack(L, top + 2, data, how, depth + 1);
  }
  lua_settop(L, top);
  return problem != NULL ? problem : append(data, "}", 1);
}

static const char *pack(lua_State *L, int index, km_lua_data *data, const km_lua_packing *how,
                        int depth) {
  size_t length = 0;
  switch (lua_type(L, index)) {
  case LUA_TNIL:
    return append(data, "n", 1);
  case LUA_TBOOLEAN:
    return append(data, lua_toboolean(L, index) ? "t" : "f", 1);
  case LUA_TNUMBER:
    return append_number(data, lua_tonumber(L, index));
  case LUA_TSTRING: {
    const char *text = lua_tolstring(L, index, &length);
    return append_text(data, text, length);
  }
  case LUA_TTABLE:
    return pack_table(L, index, data, how, depth);
  case LUA_TFUNCTION:
    return append_function(L, index, data, how->function);
  default:
    return "userdata and coroutines cannot be handed over, only plain data";
  }
}

const char *km_lua_pack(lua_State *L, int index, km_lua_data *data, km_lua_packing how) {
  if (index < 0)
    index = lua_gettop(L) + index + 1;
  if (!lua_checkstack(L, 8))
    return "out of stack";
  return pack(L, index, data, &how, 0);
}

/* Copies `size` packed bytes; they were written by pack, so they are there. */
static void take(const km_lua_data *data, size_t *offset, void *out, size_t size) {
  memcpy(out, data->bytes + *offset, size);
  *offset += size;
}

void km_lua_unpack(lua_State *L, const km_lua_data *data, size_t *offset) {
  lua_Number number = 0;
  size_t length = 0;
  luaL_checkstack(L, 4, "plain data");
  switch (data->bytes[(*offset)++]) {
  case 't':
    lua_pushboolean(L, 1);
    break;
  case 'f':
    lua_pushboolean(L, 0);
    break;
  case 'd':
    take(data, offset, &number, sizeof number);
    lua_pushnumber(L, number);
    break;
  case 's':
    take(data, offset, &length, sizeof length);
    lua_pushlstring(L, (const char *)data->bytes + *offset, length);
    *offset += length;
    break;
  case '{':
    lua_newtable(L);
    while (data->bytes[*offset] != '}') {
      km_lua_unpack(L, data, offset);
      km_lua_unpack(L, data, offset);
      lua_rawset(L, -3);
    }
    (*offset)++;
    break;
  default:
    lua_pushnil(L);
  }
}
