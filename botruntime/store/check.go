// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
)

// Check looks at the database that a store would be opened in, changes nothing there, and says what it found.
func Check(ctx context.Context, opts Options) (found string, err error) {
	if err := opts.complete(); err != nil {
		return "", err
	}
	if opts.Dir != "" {
		list, err := ListTickets(ctx, opts.Dir, Filter{Limit: 1})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("the database in the state directory can be read, and has %d tickets", list.Total), nil
	}
	e, err := openPostgres(opts.DSN, opts.Schema)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return e.check(ctx)
}

// check asks the server what connect will need.
func (e *postgresEngine) check(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*connectTimeout)
	defer cancel()
	var version string
	var there, usable, may, free bool
	// The lock ends with the statement.
	err := e.readDB.QueryRowContext(ctx, `SELECT current_setting('server_version'), to_regnamespace($1) IS NOT NULL,
		coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'CREATE, USAGE'), false),
		has_database_privilege(current_database(), 'CREATE'), pg_try_advisory_xact_lock($2)`, e.schemaName, e.lockKey()).
		Scan(&version, &there, &usable, &may, &free)
	switch {
	case err != nil:
		return "", fmt.Errorf("the database cannot be reached: %w", err)
	case there && !usable:
		return "", fmt.Errorf("the database's user may not make tables in the schema %s: grant it CREATE and USAGE on the schema", e.schemaName)
	case !there && !may:
		return "", fmt.Errorf("the database's user may not make the schema %s: grant it CREATE on the database, or make the schema for it", e.schemaName)
	}
	found := fmt.Sprintf("PostgreSQL %s answers; ", version)
	if there {
		found += "the schema " + e.schemaName + " is there"
	} else {
		found += "the schema " + e.schemaName + " will be made"
	}
	if !free {
		found += ", and a bot works in it"
	}
	return found, nil
}
